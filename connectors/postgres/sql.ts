/** A quoted identifier. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A qualified, quoted name. */
export function qualified(schema: string, name: string): string {
  return `${ident(schema)}.${ident(name)}`;
}

/** A text literal. For DDL and COPY, which take no parameters; elsewhere values are parameters. */
export function literal(text: string): string {
  const escaped = text.replaceAll("'", "''");
  return escaped.includes('\\') ? `E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`;
}

const SPECIAL = /["\\]/;
const ALL_SPECIAL = /["\\]/g;
/** Text that may stand in an array literal without quotes, `null` aside. */
const PLAIN = /^[\w.+:/-]+(?: [\w.+:/-]+)*$/;
const LONG = 50;

/**
 * An array literal of text forms, for a parameter that is cast as a whole (`$1::int4[]`): the
 * server then casts the column in one go.
 */
export function arrayLiteral(values: readonly (string | null)[]): string {
  return columnLiteral(values, (value) => value);
}

/** The array literal of one value of each row. */
export function columnLiteral<Row>(
  rows: readonly Row[],
  valueOf: (row: Row, index: number) => string | null | undefined,
): string {
  // Joined at the end: a text that grows by pieces is a tree of pieces, a quarter of all garbage.
  const elements = new Array<string>(rows.length);
  for (let i = 0; i < rows.length; i++) elements[i] = element(valueOf(rows[i] as Row, i));
  return `{${elements.join(',')}}`;
}

/**
 * Whether values of this type go up as text and are cast one by one: an array has no array of its
 * own, and boxes are the one type whose elements are not separated by commas.
 */
export const isCastAlone = (type: string) => type.endsWith('[]') || type === 'box';

function element(value: string | null | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  const isPlain = value.length < LONG && PLAIN.test(value);
  if (isPlain && !(value.length === 4 && value.toLowerCase() === 'null')) return value;
  return SPECIAL.test(value) ? `"${value.replace(ALL_SPECIAL, '\\$&')}"` : `"${value}"`;
}

/** One field of COPY's text format. */
export function copyField(value: string | null): string {
  if (value === null) return '\\N';
  return COPY_SPECIAL.test(value) ? value.replace(COPY_SPECIAL_ALL, escapeCopy) : value;
}
const COPY_SPECIAL = /[\\\n\r\t\b\f\v]/;
const COPY_SPECIAL_ALL = /[\\\n\r\t\b\f\v]/g;
const COPY_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};
const escapeCopy = (character: string) => COPY_ESCAPES[character] ?? character;
