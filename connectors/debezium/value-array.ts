import { createHash } from 'node:crypto';
import type { ColumnType } from './column-type.ts';
import { UNAVAILABLE } from './message.ts';
import { NOT_CARRIED, WrongForm, type Reader, type ROUNDED } from './value.ts';

/**
 * Element types for which Debezium has a placeholder of unchanged large values. An array of another
 * type comes as null or empty instead, which says nothing.
 */
const WITH_PLACEHOLDER: ReadonlySet<string> = new Set([
  ...['text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'uuid'],
  ...['integer', 'bigint', 'date'],
]);

/** Through JDBC's own classes these lose digits, or depend on where the connector runs. */
const NOT_AS_ARRAY: ReadonlySet<string> = new Set([
  ...['time without time zone', 'time with time zone', 'timestamp without time zone'],
  ...['interval', 'money', 'name', 'xml', 'point', 'bit', 'bit varying', 'hstore'],
]);

/**
 * Before the calendar's reform JDBC's classes count days in another way; behind these years stands
 * what they make of infinity.
 */
const REFORM_YEAR = 1583;
const LAST_YEAR = 9999;
const ERA = /^(\d+)-.*?( BC)?$/;

/** What a JVM prints of an array that nobody unpacked: of several dimensions. */
const JAVA_OBJECT = /^\[+[A-Z](?:[\w.$]+;)?@[0-9a-f]+$/;

/** The list of characters, a list of one, or an UUID made of it. */
const UNAVAILABLE_ONE: ReadonlySet<unknown> = new Set([
  UNAVAILABLE,
  Buffer.from(UNAVAILABLE).toString('base64'),
  Buffer.from(UNAVAILABLE).toString('hex'),
  uuidOfName(UNAVAILABLE),
]);
const UNAVAILABLE_CODES = JSON.stringify([...Buffer.from(UNAVAILABLE)]);

type Text = string | typeof NOT_CARRIED | typeof ROUNDED;

/** Arrays in PostgreSQL's text form: `{1,NULL,"a b"}`. */
export function arrayReader(column: ColumnType, readElement: Reader): Reader {
  const { name } = column;
  if (NOT_AS_ARRAY.has(name)) return () => NOT_CARRIED;
  const isDated = name === 'date' || name === 'timestamp with time zone';
  const isEmptyCarried = WITH_PLACEHOLDER.has(name);

  function elementText(value: unknown): Text {
    if (value === null) return 'NULL';
    if (Array.isArray(value)) return listText(value);
    if (typeof value === 'string' && JAVA_OBJECT.test(value)) return NOT_CARRIED;
    const read = readElement(value);
    if (typeof read !== 'string') return read ?? NOT_CARRIED;
    if (isDated && !isPlainYear(read)) return NOT_CARRIED;
    return quoted(read);
  }

  function listText(values: readonly unknown[]): Text {
    const texts: string[] = [];
    for (const value of values) {
      const text = elementText(value);
      if (typeof text !== 'string') return text;
      texts.push(text);
    }
    return `{${texts.join(',')}}`;
  }

  return (value) => {
    if (!Array.isArray(value)) throw new WrongForm('an array', value);
    if (isUnavailable(value)) return undefined;
    if (value.length === 0) return isEmptyCarried ? '{}' : NOT_CARRIED;
    // Several dimensions come as nulls, one for each part.
    if (value.every((element) => element === null)) return NOT_CARRIED;
    return listText(value);
  };
}

/** Null may stand for an array that was not sent, or that holds what the form cannot say. */
export function isNullCarried({ name }: ColumnType): boolean {
  return WITH_PLACEHOLDER.has(name);
}

function isUnavailable(values: readonly unknown[]): boolean {
  const [first] = values;
  if (values.length === 1) {
    return UNAVAILABLE_ONE.has(Buffer.isBuffer(first) ? first.toString('utf8') : first);
  }
  return (
    values.length === UNAVAILABLE.length &&
    typeof first === 'number' &&
    JSON.stringify(values) === UNAVAILABLE_CODES
  );
}

function isPlainYear(text: string): boolean {
  const match = ERA.exec(text);
  if (match === null || match[2] !== undefined) return false;
  const year = Number(match[1]);
  return year >= REFORM_YEAR && year <= LAST_YEAR;
}

const SPECIAL = /["\\{},\s]/;
const ESCAPED = /["\\]/g;

/** As `array_out` quotes an element: where it is empty, the word NULL, or could end it early. */
function quoted(text: string): string {
  const isSpecial = text === '' || SPECIAL.test(text) || /^null$/i.test(text);
  return isSpecial ? `"${text.replace(ESCAPED, '\\$&')}"` : text;
}

/** What Debezium writes for an unchanged large array, null where it has no form for that. */
export function unavailableArray({ name }: ColumnType, bytes: (value: Buffer) => unknown): unknown {
  switch (name) {
    case 'integer':
    case 'bigint':
    case 'date':
      return [...Buffer.from(UNAVAILABLE)];
    case 'bytea':
      return [bytes(Buffer.from(UNAVAILABLE))];
    case 'uuid':
      return [uuidOfName(UNAVAILABLE)];
    default:
      return WITH_PLACEHOLDER.has(name) ? [UNAVAILABLE] : null;
  }
}

/** Elements of an array: texts, nulls, and arrays where there are several dimensions. */
export type Elements = readonly (string | null | Elements)[];

/** Takes PostgreSQL's text of an array apart; null where its bounds are not the usual ones. */
export function parseArray(text: string): Elements | null {
  if (!text.startsWith('{')) return null;
  let at = 0;
  function list(): Elements {
    const elements: (string | null | Elements)[] = [];
    at++; // {
    while (at < text.length && text[at] !== '}') {
      if (text[at] === ',') at++;
      elements.push(text[at] === '{' ? list() : text[at] === '"' ? quotedElement() : bare());
    }
    at++;
    return elements;
  }
  function quotedElement(): string {
    let element = '';
    for (at++; at < text.length && text[at] !== '"'; at++) {
      if (text[at] === '\\') at++;
      element += text[at] ?? '';
    }
    at++;
    return element;
  }
  function bare(): string | null {
    const start = at;
    while (text[at] !== ',' && text[at] !== '}' && at < text.length) at++;
    const element = text.slice(start, at);
    return element === 'NULL' ? null : element;
  }
  return list();
}

/** A version-3 UUID without a namespace, as Java's `nameUUIDFromBytes` makes it. */
function uuidOfName(name: string): string {
  const hash = createHash('md5').update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x30;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
