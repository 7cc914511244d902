import type pg from 'pg';
import { arrayLiteral, ident, isCastAlone, qualified } from '../connectors/postgres/sql.ts';
import { execute, preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import { splitTableName } from '../core/mirror-table.ts';
import { Ref, type TargetRow, type TargetValue } from '../core/outcome.ts';
import type { TargetColumn, TargetTable } from './model.ts';

/** The columns of an upsert, `id` first, and its statement. */
export type RowWriter = {
  readonly columns: readonly TargetColumn[];
  readonly upsert: string;
  /** The faster way for rows that are most likely there. */
  readonly update: string;
};

/** PostgreSQL's text form of what a mapping returned. */
export function encode(value: TargetValue): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (value instanceof Ref) return value.uuid;
  return arrayLiteral(value);
}

export const targetName = (table: string): string => {
  const { schema, relation } = splitTableName(table);
  return qualified(schema, relation);
};

/** Which columns a mapping writes, from one of its rows. Throws `TABLE_MISSING` on an unknown one. */
export function writtenColumns(table: TargetTable, row: TargetRow): readonly TargetColumn[] {
  const names = ['id', ...Object.keys(row).filter((name) => name !== 'id')];
  return names.map((name) => {
    const column = table.columns.get(name);
    if (column === undefined) {
      throw new TandemError('TABLE_MISSING', { side: 'target', table: table.name, column: name });
    }
    return column;
  });
}

/** The value of every column, or an error that names the one a path of the mapping left out. */
export function encodeRow(
  table: TargetTable,
  columns: readonly TargetColumn[],
  row: TargetRow,
): (string | null)[] {
  return columns.map((column) => encodeCell(table, column, row));
}

/** @throws TandemError `MAPPING_INVALID` where the row lacks the column */
export function encodeCell(
  table: TargetTable,
  column: TargetColumn,
  row: TargetRow,
): string | null {
  const value = row[column.name];
  if (value !== undefined) return encode(value);
  throw new TandemError('MAPPING_INVALID', {
    table: table.name,
    column: column.name,
    reason: 'a path of the mapping leaves it out',
  });
}

/**
 * The type without its length: a cast to `varchar(5)` cuts what is longer, and only the assignment
 * to the column refuses it. (`character` and `bit` without one would mean a length of 1.)
 */
const withoutLength = (type: string) =>
  type
    .replace(/^character varying\(\d+\)/, 'character varying')
    .replace(/^character\(\d+\)/, 'bpchar')
    .replace(/^bit varying\(\d+\)/, 'bit varying')
    .replace(/^bit\(\d+\)/, '"bit"');

/** Statements by which an entity writes its rows of a table. */
export function rowWriter(table: TargetTable, columns: readonly TargetColumn[]): RowWriter {
  return {
    columns,
    upsert: upsertStatement(table, columns),
    update: updateStatement(table, columns),
  };
}

/** `unnest(…)`: one array literal per column as parameter. */
export function unnested(columns: readonly TargetColumn[]): string {
  const types = columns.map(
    (c, i) => `$${i + 1}::${isCastAlone(c.type) ? 'text' : withoutLength(c.type)}[]`,
  );
  return `unnest(${types.join(', ')})`;
}

const batchOf = (columns: readonly TargetColumn[]): string =>
  `${unnested(columns)} as batch (${columns.map((column) => ident(column.name)).join(', ')})`;

/** The value of a column of `batch`, with its type. */
export const fromBatch = (column: TargetColumn) =>
  `batch.${ident(column.name)}${isCastAlone(column.type) ? `::${withoutLength(column.type)}` : ''}`;

/** What is set, and the condition that something differs, byte by byte. Writing a row revives it. */
function change(
  table: TargetTable,
  columns: readonly TargetColumn[],
  nextOf: (column: TargetColumn) => string,
): { set: string; differs: string } {
  const rest = columns.filter((column) => column.name !== 'id');
  const isOurs = (name: string) =>
    table.columns.has(name) && !rest.some((column) => column.name === name);
  const now = rest.map((column) => `row_now.${ident(column.name)}`);
  const next = rest.map(nextOf);
  const set = rest.map((column) => `${ident(column.name)} = ${nextOf(column)}`);
  if (isOurs('deleted_at')) {
    set.push('deleted_at = null');
    now.push('row_now.deleted_at');
    next.push('null::timestamptz');
  }
  if (isOurs('updated_at')) set.push('updated_at = now()');
  return {
    set: set.join(', '),
    differs: `row(${now.join(', ')})::record operator(pg_catalog.*<>) row(${next.join(', ')})::record`,
  };
}

/**
 * Upsert by id; a row is touched only where a written column differs. Columns that the mapping does
 * not write belong to the target.
 *
 * Parameters: one array literal per column. Returns the ids of rows that were not there before.
 */
function upsertStatement(table: TargetTable, columns: readonly TargetColumn[]): string {
  const names = columns.map((column) => ident(column.name));
  const { set, differs } = change(table, columns, (column) => `excluded.${ident(column.name)}`);
  return `with written as (
    insert into ${targetName(table.name)} as row_now (${names.join(', ')})
    select ${columns.map(fromBatch).join(', ')} from ${batchOf(columns)}
    on conflict (id) ${set === '' ? 'do nothing' : `do update set ${set} where ${differs}`}
    returning id, xmax = 0 as is_new
  ) select id from written where is_new`;
}

/**
 * Update of rows that are there and differ; what is as it should be is only looked at, where an
 * upsert would lock it, which is a write. Parameters as for the upsert; returns the ids of rows that
 * are not there.
 */
function updateStatement(table: TargetTable, columns: readonly TargetColumn[]): string {
  const name = targetName(table.name);
  const { set, differs } = change(table, columns, fromBatch);
  // A subselect in the list is looked up row by row; as a condition it may become a join with all.
  return `with changed as (
    update ${name} as row_now set ${set === '' ? 'id = row_now.id' : set}
    from ${batchOf(columns)} where row_now.id = batch.id and ${differs} returning row_now.id
  ), others as materialized (
    select id, (select true from ${name} as row_now where row_now.id = batch.id) as is_there
    from unnest($1::uuid[]) as batch (id) where id not in (select id from changed)
  ) select id from others where is_there is null`;
}

/** Soft-deletes rows (deletes them where the table has no `deleted_at`). */
export async function removeRows(
  client: pg.ClientBase,
  table: TargetTable,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const name = targetName(table.name);
  const touch = table.columns.has('updated_at') ? ', updated_at = now()' : '';
  const sql = table.columns.has('deleted_at')
    ? `update ${name} set deleted_at = now()${touch} where id = any($1::uuid[]) and deleted_at is null`
    : `delete from ${name} where id = any($1::uuid[])`;
  await execute(client, sql, [arrayLiteral(ids)]);
}

/** Rows as columns, in the order of a writer: text forms, all of one length. */
export type RowColumns = readonly (readonly (string | null)[])[];

/**
 * Writes rows of one table; returns the ids that are new. Those at the places in `likelyThere` are
 * updated, and what of them turns out to be missing goes with the others.
 */
export async function writeRows(
  client: pg.ClientBase,
  writer: RowWriter,
  rows: RowColumns,
  likelyThere: readonly number[],
): Promise<string[]> {
  if (likelyThere.length === 0) return upsertRows(client, writer, rows);
  const ids = rows[0] ?? [];
  const known = likelyThere.length === ids.length ? rows : pick(rows, likelyThere);
  const missing = await preparedRows(client, writer.update, known.map(arrayLiteral));
  if (missing.length === 0 && known === rows) return [];
  const likely = new Set(likelyThere);
  const isMissing = new Set(missing.map((row) => row[0]));
  const rest = [...ids.keys()].filter((i) => !likely.has(i) || isMissing.has(ids[i] ?? ''));
  return rest.length === 0 ? [] : upsertRows(client, writer, pick(rows, rest));
}

/** The rows at these places. */
export const pick = (rows: RowColumns, places: readonly number[]): RowColumns =>
  rows.map((column) => places.map((i) => column[i] ?? null));

/** Upserts rows of one table; returns the ids of those that were not there before. */
export async function upsertRows(
  client: pg.ClientBase,
  writer: RowWriter,
  rows: RowColumns,
): Promise<string[]> {
  const found = await preparedRows(client, writer.upsert, rows.map(arrayLiteral));
  return found.map((row) => row[0] ?? '');
}
