import { isUtf8 } from 'node:buffer';
import { parse as parseExactly } from 'lossless-json';
import type { Envelope, Fields } from './envelope.ts';
import { WrongForm } from './value.ts';
import { connectFields } from './wire-shape.ts';

/** A message in JSON: its envelope, and the schema beside it where there is one. */
type JsonMessage = {
  readonly envelope: Envelope;
  /** The same object for all messages whose schema has the same bytes; null: without schemas. */
  readonly schema: JsonSchema | null;
};

/** The schema part of a topic's messages: bytes that repeat in each of them. */
export class JsonSchema {
  /** From the first byte of the message to the first of the payload. */
  readonly prefix: Buffer;
  /** Schemas of the row's columns by their names. */
  readonly columns: ReadonlyMap<string, unknown>;

  constructor(prefix: Buffer, schema: unknown) {
    const fields = connectFields(schema);
    this.prefix = prefix;
    this.columns = connectFields(fields.get('after') ?? fields.get('before'));
  }
}

const SCHEMA_START = Buffer.from('{"schema":');
const PAYLOAD = ',"payload":';

/**
 * Parses messages of one topic. With schemas nine tenths of a message are schema, the same every
 * time: its bytes are compared, and only the rest is parsed.
 */
export class JsonParser {
  #schema: JsonSchema | null = null;

  /**
   * @param digits `'all'` keeps every digit of a number, as a `bigint` where a double has not enough
   * @throws WrongForm where it is no JSON, or no object
   */
  parse(bytes: Buffer, digits: 'fast' | 'all'): JsonMessage {
    if (!bytes.subarray(0, SCHEMA_START.length).equals(SCHEMA_START)) {
      return { envelope: parseObject(textOf(bytes), digits), schema: null };
    }
    const known = this.#schema;
    if (known !== null && startsWith(bytes, known.prefix)) {
      const payload = textOf(bytes.subarray(known.prefix.length, bytes.length - 1));
      return { envelope: parseObject(payload, digits), schema: known };
    }
    return this.#learn(textOf(bytes), digits);
  }

  #learn(text: string, digits: 'fast' | 'all'): JsonMessage {
    const { schema, payload } = parseObject(text, 'fast') as { schema: unknown; payload: unknown };
    if (schema === null || payload === undefined)
      return { envelope: object(payload), schema: null };
    const end = endOfObject(text, SCHEMA_START.length);
    const prefix = text.slice(0, end + PAYLOAD.length);
    const isRegular = prefix.endsWith(PAYLOAD) && text.endsWith('}');
    const learned = new JsonSchema(Buffer.from(isRegular ? prefix : text), schema);
    this.#schema = learned;
    if (digits === 'fast' || !isRegular) return { envelope: object(payload), schema: learned };
    return { envelope: parseObject(text.slice(prefix.length, -1), digits), schema: learned };
  }
}

/**
 * A message's key, with every digit.
 *
 * @returns `columns` schemas of the key's columns by their names; null: without schemas
 */
export function parseKey(bytes: Buffer): {
  readonly fields: Fields;
  readonly columns: ReadonlyMap<string, unknown> | null;
} {
  const parsed = parseObject(textOf(bytes), 'all') as Fields;
  if (!bytes.subarray(0, SCHEMA_START.length).equals(SCHEMA_START)) {
    return { fields: parsed, columns: null };
  }
  const { schema, payload } = parsed;
  return { fields: object(payload), columns: schema === null ? null : connectFields(schema) };
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  const { length } = prefix;
  return bytes.length > length && bytes.compare(prefix, 0, length, 0, length) === 0;
}

/** The index behind the object that begins at `start`: braces in texts do not count. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return i + 1;
  }
  return text.length;
}

/** The parser's own words would quote the text, so they are left out. */
export function parseObject(text: string, digits: 'fast' | 'all'): Envelope {
  let value: unknown;
  try {
    value = digits === 'fast' ? JSON.parse(text) : parseExactly(text, null, numberOf);
  } catch {
    throw new WrongForm('JSON', text);
  }
  return object(value);
}

function object(value: unknown): Envelope {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new WrongForm('a JSON object', value);
  }
  return value;
}

const INTEGER = /^-?\d+$/;

function numberOf(digits: string): number | bigint {
  const number = Number(digits);
  return INTEGER.test(digits) && !Number.isSafeInteger(number) ? BigInt(digits) : number;
}

/** Bytes that are no UTF-8 would become other characters in silence. */
function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new WrongForm('UTF-8', bytes);
  return bytes.toString('utf8');
}
