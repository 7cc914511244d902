import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { TandemError } from '../core/errors.ts';
import type { Cursor } from './position.ts';

/** By derived entity: what its rows follow from, in a short form. */
export type Fingerprints = ReadonlyMap<string, string>;

/**
 * Notes which mapping derives from now on; returns the entities that have rows of another one. To be
 * called by whoever has the stream, before it derives anything.
 *
 * A job that is under way for all roots of an entity whose mapping changed begins again: its first
 * portions are of the mapping before. Entities that an older version has derived are taken as they
 * are.
 *
 * @throws TandemError `POSITION_TAKEN`: another process has the stream, and so its mapping counts
 */
export async function noteMapping(
  client: pg.ClientBase,
  { stream, cursor }: { readonly stream: string; readonly cursor: Cursor },
  fingerprints: Fingerprints,
): Promise<readonly string[]> {
  const names = arrayLiteral([...fingerprints.keys()]);
  const both = [names, arrayLiteral([...fingerprints.values()])];
  return await inTransaction(client, async () => {
    const mine = await textRows(
      client,
      'select stream from tandem.position where stream = $1 and epoch = $2 for update',
      [stream, cursor.epoch],
    );
    if (mine.length === 0) throw new TandemError('POSITION_TAKEN', { stream });
    await execute(
      client,
      `update tandem.job set after_key = null, done = 0
       from tandem.entity join unnest($1::text[], $2::text[]) as now (name, mapping) using (name)
       where job.entity = entity.name and job.usage is null and job.values is null
         and entity.running_with <> now.mapping`,
      both,
    );
    await execute(
      client,
      `insert into tandem.entity as known (name, running_with, derived_with, mapping_since)
       select name, mapping, mapping, now() from unnest($1::text[], $2::text[]) as now (name, mapping)
       on conflict (name) do update set running_with = excluded.running_with, mapping_since = now(),
         derived_with = case when known.running_with is null then excluded.running_with end
       where known.running_with is distinct from excluded.running_with`,
      both,
    );
    const rows = await textRows(
      client,
      `select name from tandem.entity where running_with is not null and derived_with is null
         and derived_at is not null and name = any($1::text[])`,
      [names],
    );
    const changed = new Set(rows.map((row) => row[0] ?? ''));
    return [...fingerprints.keys()].filter((name) => changed.has(name));
  });
}

/** All rows of the entity come from the mapping that is running. */
export async function markDerivedAnew(client: pg.ClientBase, entity: string): Promise<void> {
  await execute(
    client,
    `update tandem.entity set derived_with = running_with
     where name = $1 and derived_with is distinct from running_with`,
    [entity],
  );
}

/** The mapping of the process that derives, by entity, as it has noted it. */
export async function runningMapping(client: pg.ClientBase): Promise<Fingerprints> {
  const rows = await textRows(
    client,
    'select name, running_with from tandem.entity where running_with is not null',
  );
  return new Map(rows.map(([name, mapping]) => [name ?? '', mapping ?? '']));
}

/** Those of `entities` for which no job derives all roots. */
export async function withoutWholeJob(
  client: pg.ClientBase,
  entities: readonly string[],
): Promise<readonly string[]> {
  const rows = await textRows(
    client,
    'select entity from tandem.job where usage is null and values is null',
  );
  const have = new Set(rows.map((row) => row[0]));
  return entities.filter((entity) => !have.has(entity));
}
