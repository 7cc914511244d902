import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, preparedRows } from '../connectors/postgres/connection.ts';
import type { Usage } from '../core/usage.ts';

/** Roots to derive again behind the stream. */
export type Job = {
  readonly id: string;
  readonly entity: string;
  /** The way from the values to the roots; null: the values are root keys. */
  readonly usage: string | null;
  /** Null: all roots of the entity. */
  readonly values: readonly string[] | null;
  /** The last root that is done. */
  readonly after: string | null;
};

/** Names a usage so that a job survives a restart; a mapping that changed has other names. */
export function usageName(usage: Usage): string {
  const steps = usage.climb.map((step) =>
    step.kind === 'join'
      ? `${step.childColumn}>${step.parentTable}.${step.parentColumn}`
      : `${step.childColumn}>${step.model}>${step.parentTable}.${step.idColumn}`,
  );
  return [usage.table, ...steps].join(' ');
}

export async function addJob(
  client: pg.ClientBase,
  job: Pick<Job, 'entity' | 'usage' | 'values'> & { readonly reason: string },
): Promise<void> {
  await execute(
    client,
    'insert into tandem.job (entity, usage, values, reason) values ($1, $2, $3::text[], $4)',
    [job.entity, job.usage, job.values === null ? null : arrayLiteral(job.values), job.reason],
  );
}

/** The oldest job of an active entity, locked; null where there is none or another process has it. */
export async function takeJob(
  client: pg.ClientBase,
  entities: readonly string[],
): Promise<Job | null> {
  const [row] = await preparedRows(
    client,
    `select id, entity, usage, array_to_json(values), after_key from tandem.job
     where entity = any($1::text[]) order by id limit 1 for update skip locked`,
    [arrayLiteral(entities)],
  );
  if (row === undefined) return null;
  const [id, entity, usage, values, after] = row;
  return {
    id: id ?? '',
    entity: entity ?? '',
    usage: usage ?? null,
    values: values == null ? null : (JSON.parse(values) as string[]),
    after: after ?? null,
  };
}

export async function openJobs(client: pg.ClientBase): Promise<number> {
  const [row] = await preparedRows(client, 'select count(*) from tandem.job');
  return Number(row?.[0] ?? 0);
}

/** Records how far a job came; `after` null: it is done. */
export async function moveJob(
  client: pg.ClientBase,
  id: string,
  after: string | null,
): Promise<void> {
  if (after === null) await execute(client, 'delete from tandem.job where id = $1', [id]);
  else await execute(client, 'update tandem.job set after_key = $2 where id = $1', [id, after]);
}
