import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { Mapping } from '../core/entity.ts';
import { formatLsn, parseLsn, type Lsn } from '../core/version.ts';
import { readUsages } from '../core/usage.ts';
import { closeGap, openGap } from './journal-gap.ts';

/**
 * `active`: its changes are taken. `stopped`: they are skipped. `waiting` and `joining`: it is (to be)
 * read beside the stream. `removed`: the mapping reads it no more, so its changes are not taken either.
 */
type TableState = 'active' | 'stopped' | 'waiting' | 'joining' | 'removed';

/** Why a table stopped, which decides what mends it. */
export type StopCause = 'drift' | 'truncate' | 'unpublished' | 'failed';

/** What the target remembers of a mirror table. */
export type TableRecord = {
  readonly name: string;
  /** The source's types of the columns that are kept up. */
  readonly kept: ReadonlyMap<string, string>;
  readonly isLoaded: boolean;
  /** It was loaded once from this slot, though it may be about to be read again. */
  readonly wasLoaded: boolean;
  readonly state: TableState;
  readonly cause: StopCause | null;
  readonly reason: string | null;
  readonly joinsAt: Lsn | null;
  /** All columns of the source's table when it was last looked at; null: never. */
  readonly sourceColumns: readonly string[] | null;
};

/** What sessions that share a stream know the tables by: see `tandem.tables_digest`. */
export async function readTablesDigest(client: pg.ClientBase): Promise<string> {
  const [row] = await textRows(client, 'select tandem.tables_digest()');
  return row?.[0] ?? '';
}

export async function readTableRecords(client: pg.ClientBase): Promise<Map<string, TableRecord>> {
  const rows = await textRows(
    client,
    `select table_name, columns, loaded_at is not null, state, cause, reason, joins_at,
       array_to_json(source_columns), read_until is not null from tandem.mirror`,
  );
  return new Map(
    rows.map(
      ([name, columns, isLoaded, state, cause, reason, joinsAt, sourceColumns, wasLoaded]) => [
        name ?? '',
        {
          name: name ?? '',
          kept: new Map(JSON.parse(columns ?? '[]') as [string, string][]),
          isLoaded: isLoaded === 't',
          wasLoaded: wasLoaded === 't',
          state: (state ?? 'active') as TableState,
          cause: (cause ?? null) as StopCause | null,
          reason: reason ?? null,
          joinsAt: joinsAt == null ? null : parseLsn(joinsAt),
          sourceColumns: sourceColumns == null ? null : (JSON.parse(sourceColumns) as string[]),
        },
      ],
    ),
  );
}

/** Stops a table; its changes are skipped from now on, so what mends it has to read it again. */
export async function stopTable(
  client: pg.ClientBase,
  name: string,
  cause: StopCause,
  reason: string,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.mirror (table_name, columns, state, cause, reason)
     values ($1, '[]', 'stopped', $2, $3)
     on conflict (table_name) do update set state = 'stopped', cause = excluded.cause,
       reason = excluded.reason, since = now()
     where mirror.state <> 'stopped' or (mirror.cause, mirror.reason) is distinct from ($2, $3)`,
    [name, cause, reason],
  );
}

/**
 * From the beginning: what was read of it so far is forgotten. Within a transaction: chunks that
 * outlived their place in the stream would look as if they were done. They go first, because a chunk
 * that is being merged holds its own and then asks for the table's record.
 */
export async function readAnew(
  client: pg.ClientBase,
  name: string,
  state: 'waiting' | 'joining' | 'active',
): Promise<void> {
  await execute(
    client,
    `delete from tandem.chunk where subject = $1 and stage in ('load', 'reload')`,
    [name],
  );
  await execute(
    client,
    `update tandem.mirror set state = $2, loaded_at = null, joins_at = null, since = now(),
       reason = null, cause = case when cause = 'truncate' then cause end
     where table_name = $1`,
    [name, state],
  );
}

/** Everything that had written to it before it was published has ended: it may join the stream. */
export async function mayJoin(client: pg.ClientBase, name: string): Promise<void> {
  await execute(
    client,
    `update tandem.mirror set state = 'joining', since = now()
     where table_name = $1 and state = 'waiting'`,
    [name],
  );
}

/** The stream brings what commits from `lsn` on; the reading begins behind it. */
export async function joinAt(client: pg.ClientBase, lsn: Lsn): Promise<void> {
  await execute(
    client,
    `update tandem.mirror set joins_at = $1 where state = 'joining' and joins_at is null`,
    [formatLsn(lsn)],
  );
}

/** The tables that an entity reads. */
export function tablesOf(mapping: Mapping): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    mapping.entities.map((entity) => [
      entity.name,
      new Set(readUsages({ ...mapping, entities: [entity] }).tables.keys()),
    ]),
  );
}

/**
 * Stops the entities that read a table which is not active, and sets those going again that waited
 * for one that is: they are derived anew as a whole, behind the stream. One that a person paused,
 * or that stopped for another reason, stays so; its job waits with it.
 *
 * @param again tables that have just become active
 */
export async function settleEntities(
  client: pg.ClientBase,
  mapping: Mapping,
  again: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<string, string>> {
  const states = await readTableRecords(client);
  const known = await textRows(client, 'select name, waits_for from tandem.entity');
  const waiting = new Map(known.map((row) => [row[0] ?? '', row[1] ?? null]));
  const blocked = new Map<string, string>();
  for (const [entity, tables] of tablesOf(mapping)) {
    const table = [...tables].find((name) => states.get(name)?.state !== 'active');
    if (table !== undefined) {
      blocked.set(entity, table);
      await block(client, entity, table, states.get(table));
      if (hasSeen(mapping, entity, states)) {
        const { reason } = states.get(table) ?? {};
        await openGap(client, [entity], `table ${table}: ${reason ?? 'it was read again'}`);
      }
    } else if (waiting.get(entity) != null || [...tables].some((name) => again.has(name))) {
      await deriveAnew(client, mapping, entity);
    }
  }
  return blocked;
}

/** Whether it is a journal whose own table has been streamed before. */
function hasSeen(
  mapping: Mapping,
  entity: string,
  records: ReadonlyMap<string, TableRecord>,
): boolean {
  const journal = mapping.entities.find((it) => it.kind === 'journal' && it.name === entity);
  return journal !== undefined && records.get(journal.shape.table.name)?.wasLoaded === true;
}

async function block(
  client: pg.ClientBase,
  entity: string,
  table: string,
  record: TableRecord | undefined,
): Promise<void> {
  const isStopped = record?.state === 'stopped';
  const why = isStopped ? `table ${table}: ${record.reason ?? ''}` : `table ${table} is being read`;
  await execute(
    client,
    `insert into tandem.entity as known (name, state, reason, waits_for) values ($1, 'stopped', $2, $3)
     on conflict (name) do update set state = 'stopped', reason = $2, waits_for = $3,
       since = case when known.waits_for is null then now() else known.since end
     where known.state = 'active'
       or (known.waits_for is not null and (known.reason, known.waits_for) is distinct from ($2, $3))`,
    [entity, why, table],
  );
}

async function deriveAnew(client: pg.ClientBase, mapping: Mapping, entity: string): Promise<void> {
  await execute(
    client,
    `insert into tandem.entity as known (name) values ($1)
     on conflict (name) do update set waits_for = null,
       since = case when known.waits_for is null then known.since else now() end,
       state = case when known.waits_for is null then known.state else 'active' end,
       reason = case when known.waits_for is null then known.reason end`,
    [entity],
  );
  const isDerived = mapping.entities.some((it) => it.name === entity && it.kind === 'derived');
  if (!isDerived) {
    await closeGap(client, [entity]);
    return;
  }
  // A job that has not begun yet will see everything; one that is under way has passed some roots.
  const [open] = await textRows(
    client,
    `select id from tandem.job where entity = $1 and usage is null and values is null
       and after_key is null for update`,
    [entity],
  );
  if (open === undefined) {
    await execute(
      client,
      `insert into tandem.job (entity, reason) select $1, 'its tables were read again'
       where exists (select from tandem.entity where name = $1 and derived_at is not null)`,
      [entity],
    );
  }
}

/** Entities that no backfill has derived: those of tables that joined are derived by jobs instead. */
export async function deriveByJobs(
  client: pg.ClientBase,
  entities: readonly string[],
): Promise<void> {
  await execute(
    client,
    `insert into tandem.entity as known (name, derived_at) select unnest($1::text[]), now()
     on conflict (name) do update set derived_at = coalesce(known.derived_at, now())`,
    [arrayLiteral(entities)],
  );
}

/** All chunks are in the mirror: the table is as active as the others. */
export async function finishJoin(
  client: pg.ClientBase,
  name: string,
  joinsAt: Lsn,
  readUntil: string,
): Promise<boolean> {
  const count = await execute(
    client,
    `update tandem.mirror set state = 'active', cause = null, reason = null, since = now(),
       loaded_at = clock_timestamp(), read_until = $3
     where table_name = $1 and state = 'joining' and joins_at = $2`,
    [name, formatLsn(joinsAt), readUntil],
  );
  return count > 0;
}
