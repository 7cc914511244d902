import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { ident, qualified } from '../connectors/postgres/sql.ts';
import type { Entity } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';

/** A version as PostgreSQL prints positions: `commit/change`. */
type VersionText = { readonly commitLsn: string; readonly changeLsn: string };

type Refusal = VersionText & {
  readonly sourceTable: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly firstSeenAt: string;
  readonly lastTriedAt: string | null;
};
type Decision = Refusal & {
  readonly reason: string;
  readonly acceptedBy: string;
  readonly acceptedAt: string;
};
export type MissingReference = {
  readonly targetTable: string;
  readonly targetId: string;
  readonly column: string;
  readonly parentEntity: string;
  readonly parentTable: string;
  readonly parentKey: string;
  readonly firstSeenAt: string;
  /** What is known of the parent: `held`, `in quarantine`, `excluded: rule`, `in the target`; null: nothing. */
  readonly parentState: string | null;
};
type KnownIssue = {
  readonly column: string;
  readonly reason: string;
  readonly firstSeenAt: string;
};

/** All that the engine has noted about one root. No values of its row. */
export type RootRecord = {
  readonly entity: string;
  readonly key: string;
  readonly kind: Entity['kind'];
  readonly entityState: string;
  readonly sourceTable: string;
  /** The root's row in the mirror; null: it has none, or the key names a journal's entry. */
  readonly mirror: (VersionText & { readonly isDeleted: boolean }) | null;
  readonly quarantine: Refusal | null;
  readonly accepted: Decision | null;
  readonly excluded: string | null;
  readonly held: readonly MissingReference[];
  readonly unresolved: readonly MissingReference[];
  readonly issues: readonly KnownIssue[];
};

/**
 * What is known about a root.
 *
 * @throws TandemError `KEY_MALFORMED` where the text cannot be a key of the entity's root table
 */
export async function readRoot(
  client: pg.ClientBase,
  entity: Entity,
  key: string,
): Promise<RootRecord> {
  const at = [entity.name, key];
  const [refused] = await textRows(
    client,
    `select ${REFUSAL}, last_tried_at from tandem.quarantine where entity = $1 and root_key = $2`,
    at,
  );
  const [decided] = await textRows(
    client,
    `select ${REFUSAL}, null, reason, accepted_by, accepted_at from tandem.accepted
     where entity = $1 and root_key = $2`,
    at,
  );
  const [rule] = await textRows(
    client,
    'select rule from tandem.excluded where entity = $1 and root_key = $2',
    at,
  );
  const [state] = await textRows(client, 'select state from tandem.entity where name = $1', [
    entity.name,
  ]);
  const issues = await textRows(
    client,
    `select target_column, reason, first_seen_at from tandem.issue
     where entity = $1 and root_key = $2 order by 1, 2`,
    at,
  );
  return {
    entity: entity.name,
    key,
    kind: entity.kind,
    entityState: state?.[0] ?? 'active',
    sourceTable: entity.shape.table.name,
    mirror: entity.kind === 'journal' ? null : await mirrorState(client, entity, key),
    quarantine: refused === undefined ? null : refusalOf(refused),
    accepted:
      decided === undefined
        ? null
        : {
            ...refusalOf(decided),
            reason: decided[8] ?? '',
            acceptedBy: decided[9] ?? '',
            acceptedAt: decided[10] ?? '',
          },
    excluded: rule?.[0] ?? null,
    held: await references(client, 'held', at),
    unresolved: await references(client, 'unresolved', at),
    issues: issues.map(([column, reason, since]) => ({
      column: column ?? '',
      reason: reason ?? '',
      firstSeenAt: since ?? '',
    })),
  };
}

const REFUSAL = `source_table, source_commit_lsn, source_change_lsn, error_class, message, attempts,
  first_seen_at`;

function refusalOf(row: readonly (string | null)[]): Refusal {
  return {
    sourceTable: row[0] ?? '',
    commitLsn: row[1] ?? '',
    changeLsn: row[2] ?? '',
    code: row[3] ?? '',
    message: row[4] ?? '',
    attempts: Number(row[5]),
    firstSeenAt: row[6] ?? '',
    lastTriedAt: row[7] ?? null,
  };
}

async function references(
  client: pg.ClientBase,
  list: 'held' | 'unresolved',
  at: readonly string[],
): Promise<MissingReference[]> {
  const parent = `entity = missing.parent_entity and root_key = missing.parent_key`;
  const rows = await textRows(
    client,
    `select target_table, target_id, target_column, parent_entity, parent_table, parent_key,
       first_seen_at,
       case when tandem.row_exists(parent_table, parent_id) then 'in the target'
         when exists (select from tandem.quarantine where ${parent}) then 'in quarantine'
         when exists (select from tandem.held where ${parent}) then 'held'
         else (select 'excluded: ' || rule from tandem.excluded where ${parent}) end
     from tandem.${list} as missing where entity = $1 and root_key = $2 order by 1, 3`,
    [...at],
  );
  return rows.map((row) => ({
    targetTable: row[0] ?? '',
    targetId: row[1] ?? '',
    column: row[2] ?? '',
    parentEntity: row[3] ?? '',
    parentTable: row[4] ?? '',
    parentKey: row[5] ?? '',
    firstSeenAt: row[6] ?? '',
    parentState: row[7] ?? null,
  }));
}

async function mirrorState(
  client: pg.ClientBase,
  entity: Entity,
  key: string,
): Promise<RootRecord['mirror']> {
  const { from, parts } = byKey(entity, key);
  const [row] = await readByKey(
    () => textRows(client, `select _commit_lsn, _change_lsn, _deleted ${from}`, parts),
    entity,
    key,
  );
  if (row === undefined) return null;
  return { commitLsn: row[0] ?? '', changeLsn: row[1] ?? '', isDeleted: row[2] === 't' };
}

/** The root's row as the mirror has it, by column: values of somebody's data. Null: there is none. */
export async function mirrorValues(
  client: pg.ClientBase,
  entity: Entity,
  key: string,
): Promise<ReadonlyMap<string, string | null> | null> {
  const { from, parts } = byKey(entity, key);
  const [found] = await textRows(
    client,
    `select array_to_json(array_agg(attname order by attnum)) from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped 
       and attname not in ('_commit_lsn', '_change_lsn', '_deleted')`,
    [mirrorOf(entity)],
  );
  const columns = JSON.parse(found?.[0] ?? '[]') as string[];
  const list = columns.map((name) => `${ident(name)}::text`).join(', ');
  const [row] = await readByKey(
    () => textRows(client, `select ${list} ${from} and not _deleted`, parts),
    entity,
    key,
  );
  if (row === undefined) return null;
  return new Map(columns.map((name, i) => [name, row[i] ?? null]));
}

const mirrorOf = (entity: Entity) => qualified('legacy', entity.shape.table.name);

/** The server takes the parts of the key for what the mirror's key columns are. */
function byKey(entity: Entity, key: string): { from: string; parts: string[] } {
  const columns = entity.shape.table.key;
  const parts = columns.length === 1 ? [key] : partsOf(key);
  if (parts?.length !== columns.length) throw malformed(entity, key);
  const same = columns.map((column, i) => `${ident(column)} = $${i + 1}`);
  return { from: `from ${mirrorOf(entity)} where ${same.join(' and ')}`, parts };
}

function partsOf(key: string): string[] | null {
  try {
    const parsed: unknown = JSON.parse(key);
    return Array.isArray(parsed) ? parsed.map(String) : null;
  } catch {
    return null;
  }
}

async function readByKey<T>(read: () => Promise<T>, entity: Entity, key: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // Not a number, not a date, out of range: then no row has that key.
    if (typeof code === 'string' && code.startsWith('22')) throw malformed(entity, key);
    throw error;
  }
}

function malformed(entity: Entity, key: string): TandemError {
  const { name, key: columns } = entity.shape.table;
  return new TandemError('KEY_MALFORMED', { key, table: name, columns: columns.join(',') });
}
