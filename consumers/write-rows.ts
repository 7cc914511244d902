import type pg from 'pg';
import { arrayLiteral, ident, qualified } from '../connectors/postgres/sql.ts';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import { splitTableName } from '../core/mirror-table.ts';
import { Ref, type TargetRow, type TargetValue } from '../core/outcome.ts';
import type { TargetColumn, TargetTable } from './model.ts';

/** The columns of an upsert, `id` first, and its statement. */
export type RowWriter = {
  readonly columns: readonly TargetColumn[];
  readonly upsert: string;
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
  return columns.map((column) => {
    const value = row[column.name];
    if (value === undefined) {
      throw new TandemError('MAPPING_INVALID', {
        table: table.name,
        column: column.name,
        reason: 'a path of the mapping leaves it out',
      });
    }
    return encode(value);
  });
}

const isArray = (column: TargetColumn) => column.type.endsWith('[]');

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

/**
 * Upsert by id; a row is touched only where a written column differs, byte by byte. Writing a row
 * also revives it. Columns that the mapping does not write belong to the target.
 *
 * Parameters: one array literal per column. Returns the ids of rows that were not there before.
 */
export function upsertRowsStatement(table: TargetTable, columns: readonly TargetColumn[]): string {
  const names = columns.map((column) => ident(column.name));
  const types = columns.map(
    (c, i) => `$${i + 1}::${isArray(c) ? 'text' : withoutLength(c.type)}[]`,
  );
  const select = columns.map(
    (c) => `batch.${ident(c.name)}${isArray(c) ? `::${withoutLength(c.type)}` : ''}`,
  );
  const rest = names.filter((name) => name !== '"id"');
  const stamps = [
    table.columns.has('deleted_at') ? 'deleted_at = null' : null,
    table.columns.has('updated_at') ? 'updated_at = now()' : null,
  ].filter((stamp) => stamp !== null);
  const now = rest.map((name) => `row_now.${name}`);
  const next = rest.map((name) => `excluded.${name}`);
  if (table.columns.has('deleted_at')) {
    now.push('row_now.deleted_at');
    next.push('null::timestamptz');
  }
  const set = [...rest.map((name) => `${name} = excluded.${name}`), ...stamps];
  const onConflict =
    set.length === 0
      ? 'do nothing'
      : `do update set ${set.join(', ')}
      where row(${now.join(', ')})::record operator(pg_catalog.*<>) row(${next.join(', ')})::record`;
  return `with written as (
    insert into ${targetName(table.name)} as row_now (${names.join(', ')})
    select ${select.join(', ')} from unnest(${types.join(', ')}) as batch (${names.join(', ')})
    on conflict (id) ${onConflict}
    returning id, xmax = 0 as is_new
  ) select id from written where is_new`;
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
  await client.query(sql, [arrayLiteral(ids)]);
}

/** Upserts rows of one table; returns the ids that are new. */
export async function upsertRows(
  client: pg.ClientBase,
  writer: RowWriter,
  rows: readonly (readonly (string | null)[])[],
): Promise<string[]> {
  const arrays = writer.columns.map((_, i) => arrayLiteral(rows.map((row) => row[i] ?? null)));
  const found = await preparedRows(client, writer.upsert, arrays);
  return found.map((row) => row[0] ?? '');
}
