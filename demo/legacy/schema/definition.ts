import { createHash } from 'node:crypto';

export type LegacyColumn = {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly unique: boolean;
  readonly references: string | null;
};

export type LegacyTable = {
  readonly name: string;
  readonly key: LegacyColumn;
  /** Every column in catalogue order, the key first. */
  readonly columns: readonly LegacyColumn[];
  readonly uniquePairs: readonly (readonly string[])[];
};

const COLUMN_LINE = /^(\w+)\s+(\S+)(\s+null)?(\s+unique)?(?:\s+->\s+(\w+))?$/;

const SERIAL_ID: LegacyColumn = {
  name: 'id',
  type: 'serial',
  nullable: false,
  unique: false,
  references: null,
};

function parseColumn(line: string): LegacyColumn {
  const match = COLUMN_LINE.exec(line);
  const [, name, type, nullable, unique, references] = match ?? [];
  if (name === undefined || type === undefined) throw new Error(`not a column: ${line}`);
  return {
    name,
    type,
    nullable: nullable !== undefined,
    unique: unique !== undefined,
    references: references ?? null,
  };
}

/**
 * Reads a table from lines of the form `name type [null] [unique] [-> table]`.
 *
 * A line `unique (a, b)` is a constraint over several columns. As in Django a column is not null
 * unless said otherwise and the key is `id serial`, unless a line defines another with `key:`.
 */
export function table(name: string, text: string): LegacyTable {
  const columns: LegacyColumn[] = [];
  const uniquePairs: string[][] = [];
  let key = SERIAL_ID;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '') continue;
    const pair = /^unique \((.+)\)$/.exec(line)?.[1];
    if (pair !== undefined) uniquePairs.push(pair.split(', '));
    else if (line.startsWith('key: ')) key = parseColumn(line.slice('key: '.length));
    else columns.push(parseColumn(line));
  }
  return { name, key, columns: [key, ...columns], uniquePairs };
}

const MAX_IDENTIFIER = 63;

/** The name Django gives to an index or constraint: table, columns, a digest, a suffix. */
export function djangoName(table: string, columns: readonly string[], suffix: string): string {
  const digest = createHash('md5').update(table).update(columns.join('')).digest('hex');
  const tail = `${digest.slice(0, 8)}${suffix}`;
  const full = `${table}_${columns.join('_')}_${tail}`;
  if (full.length <= MAX_IDENTIFIER) return full;
  const shortTail = tail.slice(0, Math.floor(MAX_IDENTIFIER / 3));
  const room = Math.floor((MAX_IDENTIFIER - shortTail.length) / 2) - 1;
  return `${table.slice(0, room)}_${columns.join('_').slice(0, room)}_${shortTail}`;
}

/** Quotes always: many columns of this database are reserved words (T91). */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
