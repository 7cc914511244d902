import type { TextRow } from './session.ts';

/** Rows by the text of their key. */
export function byId(rows: readonly TextRow[], key = 'id'): Map<string, TextRow> {
  return new Map(rows.map((row) => [row[key] ?? '', row]));
}
