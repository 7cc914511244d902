import { ident, isCastAlone } from '../connectors/postgres/sql.ts';
import type { MirrorColumn, MirrorTable } from '../core/mirror-table.ts';
import type { Usage } from '../core/usage.ts';
import { mirrorName } from './mirror-schema.ts';

/** What a merge statement returns per row that it changed, after the key or the row. */
export type MergeOutput = {
  /** The server knows `old` and `new` in `returning` (PostgreSQL 18); before, the old row is joined. */
  readonly hasOldAndNew: boolean;
  /** Columns whose old value is returned: where climbs start. */
  readonly oldColumns: readonly string[];
  /** Usages for which a flag says whether their columns changed. */
  readonly flagged: readonly Usage[];
};

/** What the dependants of a table need to know about a change of it. */
export function mergeOutput(
  usages: readonly Usage[],
  table: MirrorTable,
  serverVersion: number,
): MergeOutput {
  const keyColumns = new Set(table.columns.slice(0, table.keyLength).map((column) => column.name));
  const via = usages.flatMap((usage) => (usage.via === null ? [] : [usage.via]));
  return {
    hasOldAndNew: serverVersion >= OLD_AND_NEW_SINCE,
    oldColumns: [...new Set(via)].filter((column) => !keyColumns.has(column)),
    flagged: usages,
  };
}

const OLD_AND_NEW_SINCE = 180_000;

/** A parameter of one array per column. */
const parameterType = (column: MirrorColumn) =>
  isCastAlone(column.type) ? 'text[]' : `${column.type}[]`;
const castColumn = (column: MirrorColumn, source: string) =>
  isCastAlone(column.type)
    ? `${source}.${ident(column.name)}::${column.type}`
    : `${source}.${ident(column.name)}`;

function batchRows(columns: readonly MirrorColumn[]): string {
  const types = columns.map((column, i) => `$${i + 1}::${parameterType(column)}`);
  const n = columns.length;
  const names = columns.map((column) => ident(column.name));
  return `unnest(${[...types, `$${n + 1}::pg_lsn[]`, `$${n + 2}::pg_lsn[]`].join(', ')})
    as batch (${[...names, '_commit_lsn', '_change_lsn'].join(', ')})`;
}

const NEWER = `(excluded._commit_lsn, excluded._change_lsn) > (mirror._commit_lsn, mirror._change_lsn)`;

function keyJoin(table: MirrorTable, left: string, right: string): string {
  return table.columns
    .slice(0, table.keyLength)
    .map(({ name }) => `${left}.${ident(name)} = ${right}.${ident(name)}`)
    .join(' and ');
}

/**
 * What a merge returns of every row that it changed: the key (or the whole row), whether it was
 * absent before, the old values where climbs start, and a flag per usage whether anything that it
 * reads changed.
 */
function returned(
  table: MirrorTable,
  { oldColumns, flagged }: MergeOutput,
  now: string,
  rowLength: number,
): string {
  const row = table.columns.slice(0, rowLength).map((column) => `${now}.${ident(column.name)}`);
  const absent = `(old._deleted is null or old._deleted)`;
  const old = oldColumns.map((column) => `old.${ident(column)}`);
  const flags = flagged.map((usage) => {
    if (usage.columns.length === 0) return absent;
    const before = usage.columns.map((column) => `old.${ident(column)}`).join(', ');
    const after = usage.columns.map((column) => `${now}.${ident(column)}`).join(', ');
    return `(${absent} <> ${now}._deleted or row(${before})::record operator(pg_catalog.*<>) row(${after})::record)`;
  });
  return [...row, absent, ...old, ...flags].join(', ');
}

/** `batch` is what the merge takes its rows from; `merge` the statement up to its `returning`. */
type Merge = { readonly batch: string; readonly merge: string; readonly rowLength: number };

function mergeStatement(table: MirrorTable, output: MergeOutput, parts: Merge): string {
  const { batch, merge, rowLength } = parts;
  if (output.hasOldAndNew) {
    return `with batch as (${batch})
    ${merge}
    returning ${returned(table, output, 'new', rowLength)}`;
  }
  const key = table.columns.slice(0, table.keyLength).map((column) => column.name);
  const wanted = new Set([
    ...key,
    ...output.oldColumns,
    ...output.flagged.flatMap((u) => u.columns),
  ]);
  const columns = [...wanted].map((column) => `mirror.${ident(column)}`);
  return `with batch as materialized (${batch}), old as materialized (
    select ${[...columns, 'mirror._deleted'].join(', ')}
    from batch join ${mirrorName(table)} as mirror on ${keyJoin(table, 'mirror', 'batch')}
  ), merged as (${merge}
    returning mirror.*)
  select ${returned(table, output, 'merged', rowLength)}
  from merged left join old on ${keyJoin(table, 'old', 'merged')}`;
}

/** The rows of a batch with their types, for the columns that were sent. */
function typedBatch(columns: readonly MirrorColumn[]): string {
  const list = columns.map((column) => `${castColumn(column, 'batch')} as ${ident(column.name)}`);
  return `select ${[...list, '_commit_lsn', '_change_lsn'].join(', ')} from ${batchRows(columns)}`;
}

/**
 * Upsert of whole rows in one statement; per key the newest version wins. Returns keys, not rows:
 * the caller has the rows.
 *
 * Parameters: one array literal per column of the table, then the commit LSNs, then the change
 * LSNs; all of equal length, each key at most once.
 */
export function upsertStatement(table: MirrorTable, output: MergeOutput): string {
  const names = table.columns.map((column) => ident(column.name));
  const set = table.columns
    .slice(table.keyLength)
    .map(({ name }) => `${ident(name)} = excluded.${ident(name)}`);
  return mergeStatement(table, output, {
    batch: typedBatch(table.columns),
    merge: `
    insert into ${mirrorName(table)} as mirror (${[...names, '_commit_lsn', '_change_lsn'].join(', ')})
    select ${[...names, '_commit_lsn', '_change_lsn'].join(', ')} from batch
    on conflict (${names.slice(0, table.keyLength).join(', ')}) do update set
      ${[...set, `_commit_lsn = excluded._commit_lsn, _change_lsn = excluded._change_lsn, _deleted = false`].join(', ')}
    where ${NEWER}`,
    rowLength: table.keyLength,
  });
}

/**
 * Update of the columns that were sent, for rows with unchanged TOAST values: what was not sent
 * keeps what the mirror holds. Touches only rows that are there and alive: for the others the
 * caller has to read the row again. Returns whole rows. With all columns it is the faster way for
 * rows that are most likely there, and returns keys.
 *
 * Parameters: one array literal per column of `present`, then commit LSNs, then change LSNs.
 */
export function updateStatement(
  table: MirrorTable,
  present: readonly MirrorColumn[],
  output: MergeOutput,
): string {
  const isWhole = present.length === table.columns.length;
  const set = present
    .filter((column) => !column.inKey)
    .map(({ name }) => `${ident(name)} = batch.${ident(name)}`);
  return mergeStatement(table, output, {
    batch: typedBatch(present),
    merge: `
    update ${mirrorName(table)} as mirror set
      ${[...set, '_commit_lsn = batch._commit_lsn', '_change_lsn = batch._change_lsn'].join(', ')}
    from batch
    where ${keyJoin(table, 'mirror', 'batch')} and not mirror._deleted
      and (batch._commit_lsn, batch._change_lsn) > (mirror._commit_lsn, mirror._change_lsn)`,
    rowLength: isWhole ? table.keyLength : table.columns.length,
  });
}

/**
 * Turns rows into tombstones, also where the mirror has no row: a late older one must not come
 * back. Only the key stays.
 *
 * Parameters: one array literal per key column, then commit LSNs, then change LSNs.
 */
export function deleteStatement(table: MirrorTable, output: MergeOutput): string {
  const key = table.columns.slice(0, table.keyLength);
  const names = key.map((column) => ident(column.name));
  const rest = table.columns.slice(table.keyLength).map(({ name }) => `${ident(name)} = null`);
  return mergeStatement(table, output, {
    batch: typedBatch(key),
    merge: `
    insert into ${mirrorName(table)} as mirror (${[...names, '_commit_lsn', '_change_lsn', '_deleted'].join(', ')})
    select ${[...names, '_commit_lsn', '_change_lsn'].join(', ')}, true from batch
    on conflict (${names.join(', ')}) do update set
      ${[...rest, '_commit_lsn = excluded._commit_lsn', '_change_lsn = excluded._change_lsn', '_deleted = true'].join(', ')}
    where ${NEWER}`,
    rowLength: table.keyLength,
  });
}

/**
 * Which keys of a batch of updates the mirror cannot complete: it has no live row of theirs, or one
 * from before the table joined the stream. Rows with a newer version are left out (such an update is
 * late, and rejected).
 *
 * Parameters: one array literal per key column, commit LSNs, change LSNs, and where it joined.
 */
export function incompleteStatement(table: MirrorTable): string {
  const key = table.columns.slice(0, table.keyLength);
  const names = key.map((column) => `batch.${ident(column.name)}`);
  return `select ${names.map((name) => `${name}::text`).join(', ')}
    from ${batchRows(key)}
    left join ${mirrorName(table)} as mirror on ${keyJoin(table, 'mirror', 'batch')}
    where mirror._commit_lsn is null or ((mirror._deleted or mirror._commit_lsn < $${key.length + 3}::pg_lsn)
      and (batch._commit_lsn, batch._change_lsn) > (mirror._commit_lsn, mirror._change_lsn))`;
}

/** Rows of the mirror by key, in the mirror's column order. Parameters: one array per key column. */
export function readByKeyStatement(table: MirrorTable): string {
  const key = table.columns.slice(0, table.keyLength);
  const arrays = key.map((column, i) => `$${i + 1}::${column.type}[]`).join(', ');
  const columns = table.columns.map(({ name }) => `mirror.${ident(name)}`).join(', ');
  return `select ${columns}, mirror._commit_lsn, mirror._change_lsn, mirror._deleted
    from unnest(${arrays}) as batch (${key.map((column) => ident(column.name)).join(', ')})
    join ${mirrorName(table)} as mirror on ${keyJoin(table, 'mirror', 'batch')}`;
}
