import type { LegacyTable } from '../schema/definition.ts';
import type { Cell, Row } from './row.ts';

const SPECIAL = /[\\\n\r\t]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function cellText(value: Cell): string {
  if (value === null) return '\\N';
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (typeof value === 'number') return String(value);
  if (!SPECIAL.test(value)) return value;
  return value.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
}

/** A row in the text format of COPY, with the columns in the order of the table. */
export function copyLine(table: LegacyTable, row: Row): string {
  let line = '';
  let separator = '';
  for (const { name } of table.columns) {
    const value = row[name];
    if (value === undefined) throw new Error(`row of ${table.name} lacks ${name}`);
    line += separator + cellText(value);
    separator = '\t';
  }
  return `${line}\n`;
}

const CHUNK_CHARACTERS = 1 << 16;

/** Joins lines to chunks, so that a stream of a million rows is some thousand writes. */
export function* copyChunks(
  table: LegacyTable,
  rows: Iterable<Row>,
  onRows: (rows: number) => void,
): Generator<string> {
  let chunk = '';
  let pending = 0;
  for (const row of rows) {
    chunk += copyLine(table, row);
    pending += 1;
    if (chunk.length >= CHUNK_CHARACTERS) {
      yield chunk;
      onRows(pending);
      chunk = '';
      pending = 0;
    }
  }
  if (chunk !== '') yield chunk;
  onRows(pending);
}
