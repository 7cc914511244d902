import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, preparedRows, textRows } from '../connectors/postgres/connection.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import type { Usage } from '../core/usage.ts';
import { markDerivedAnew } from './mapping-state.ts';

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

/**
 * Records a job, and returns its id; where one that nobody has begun does the same or all of the
 * entity's roots, that one's.
 *
 * The open job is share-locked until this transaction ends, and whoever takes a job locks it and
 * skips those that are locked. So either a taker has it already: then it is skipped here, and the
 * new job derives what the taker may not have seen; or the taker comes after this transaction, and
 * reads what it has committed.
 */
export async function addJob(
  client: pg.ClientBase,
  job: Pick<Job, 'entity' | 'usage' | 'values'> & { readonly reason: string },
): Promise<string> {
  // In one order, so that the same roots make the same list.
  const values = job.values === null ? null : arrayLiteral([...job.values].sort());
  const [row] = await textRows(
    client,
    `with open as materialized (
       select id from tandem.job
       where entity = $1 and after_key is null and ((usage is null and values is null)
         or (usage is not distinct from $2 and values = $3::text[]))
       order by id limit 1 for share skip locked
     ), added as (
       insert into tandem.job (entity, usage, values, reason)
       select $1, $2, $3::text[], $4 where not exists (select from open) returning id
     )
     select id from open union all select id from added`,
    [job.entity, job.usage, values, job.reason],
  );
  return row?.[0] ?? '';
}

/** A change that concerns more roots is a job: the batches behind it would wait for them. */
export const MOST_IN_BATCH = 2_000;

/** So many root keys stand in one job. */
const JOB_KEYS = 10_000;

/**
 * Records jobs for roots, all or none of them, in the order given. `keys` null: all roots of the
 * entity.
 */
export async function addJobs(
  client: pg.ClientBase,
  wanted: readonly { readonly entity: string; readonly keys: readonly string[] | null }[],
  reason: string,
): Promise<string[]> {
  return await inTransaction(client, async () => {
    const ids: string[] = [];
    for (const { entity, keys } of wanted) {
      if (keys !== null) ids.push(...(await addRootJobs(client, entity, keys, reason)));
      else ids.push(await addJob(client, { entity, usage: null, values: null, reason }));
    }
    return ids;
  });
}

/** Records jobs for roots of an entity, in the transaction of whoever asks. */
export async function addRootJobs(
  client: pg.ClientBase,
  entity: string,
  keys: readonly string[],
  reason: string,
): Promise<string[]> {
  const ids: string[] = [];
  for (const values of slicesOf(keys)) {
    ids.push(await addJob(client, { entity, usage: null, values, reason }));
  }
  return ids;
}

const slicesOf = (keys: readonly string[]): (readonly string[])[] =>
  Array.from({ length: Math.ceil(keys.length / JOB_KEYS) }, (_, i) =>
    keys.slice(i * JOB_KEYS, (i + 1) * JOB_KEYS),
  );

/**
 * The oldest job of an active entity, locked; null where there is none or another process has it.
 *
 * @param first whether those for a whole entity come first, or those for some roots
 */
export async function takeJob(
  client: pg.ClientBase,
  entities: readonly string[],
  first: 'whole' | 'some' = 'some',
): Promise<Job | null> {
  const [row] = await preparedRows(
    client,
    `select id, entity, usage, array_to_json(values), after_key from tandem.job
     where entity = any($1::text[]) 
     order by (usage is null and values is null) <> $2, id limit 1 for update skip locked`,
    [arrayLiteral(entities), first === 'whole'],
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

/**
 * Records how far a job came: `roots` more are done. `after` null: it is done. With a job for all
 * roots, all rows of the entity are those of the mapping that is running.
 */
export async function moveJob(
  client: pg.ClientBase,
  job: Job,
  after: string | null,
  roots: number,
): Promise<void> {
  if (after !== null) {
    const sql = 'update tandem.job set after_key = $2, done = done + $3 where id = $1';
    await execute(client, sql, [job.id, after, roots]);
    return;
  }
  await execute(client, 'delete from tandem.job where id = $1', [job.id]);
  if (job.usage === null && job.values === null) await markDerivedAnew(client, job.entity);
}

/** How far a job is; `of` null: how many roots it has is not known. */
export type JobProgress = {
  readonly id: string;
  readonly entity: string;
  readonly done: number;
  readonly of: number | null;
};

/** Those of these jobs that are not done, and how far they are. */
export async function jobProgress(
  client: pg.ClientBase,
  ids: readonly string[],
): Promise<readonly JobProgress[]> {
  const rows = await textRows(
    client,
    `select id, entity, done, case when usage is null then cardinality(values) end
     from tandem.job where id = any($1::bigint[]) order by id`,
    [arrayLiteral(ids)],
  );
  return rows.map(([id, entity, done, of]) => ({
    id: id ?? '',
    entity: entity ?? '',
    done: Number(done),
    of: of == null ? null : Number(of),
  }));
}
