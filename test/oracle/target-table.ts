import { ident, type Session } from './session.ts';

export type TargetColumn = { readonly name: string; readonly type: string };

/** Columns that every table has and nobody compares; `deleted_at` only as null or not. */
const STANDARD: ReadonlySet<string> = new Set(['id', 'deleted_at', 'created_at', 'updated_at']);

/** The columns of a table of schema public besides the standard ones, `[]` without the table. */
export async function targetColumns(target: Session, table: string): Promise<TargetColumn[]> {
  const rows = await target.rows(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
     from pg_attribute a
     where a.attrelid = to_regclass('public.' || quote_ident($1)) and a.attnum > 0
       and not a.attisdropped
     order by a.attnum`,
    [table],
  );
  return rows
    .map((row) => ({ name: row['name'] ?? '', type: row['type'] ?? '' }))
    .filter(({ name }) => !STANDARD.has(name));
}

/** Rows as text, with a column `is_live`. */
export function targetRowsSql(table: string, columns: readonly string[], part = 'true'): string {
  const names = columns.map((name) => `, ${ident(name)}`).join('');
  return `select id, deleted_at is null as is_live${names}
    from public.${ident(table)} where ${part}`;
}
