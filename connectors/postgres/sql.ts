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

/**
 * An array literal of text forms, for a parameter that is cast as a whole (`$1::int4[]`): the
 * server then casts the column in one go.
 */
export function arrayLiteral(values: readonly (string | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) text += ',';
    if (value === null || value === undefined) text += 'NULL';
    else text += SPECIAL.test(value) ? `"${value.replace(ALL_SPECIAL, '\\$&')}"` : `"${value}"`;
  }
  return text + '}';
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
