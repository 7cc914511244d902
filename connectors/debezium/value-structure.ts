import { UNAVAILABLE } from './message.ts';
import { WrongForm, type Reader } from './value.ts';
import { readDouble } from './value-number.ts';

/** `(1.5,-2)`. */
export const readPoint: Reader = (value) => {
  if (value === null || typeof value !== 'object' || !('x' in value) || !('y' in value)) {
    throw new WrongForm('a point', value);
  }
  return `(${String(readDouble(value.x))},${String(readDouble(value.y))})`;
};

/**
 * `"a"=>"1", "b"=>NULL`, from an object or its JSON. The server keeps pairs by the length of the
 * key, then by its bytes; a message has them in any order.
 */
export const readHstore: Reader = (value) => {
  const object = typeof value === 'string' ? parsed(value) : value;
  if (object === null || typeof object !== 'object' || Array.isArray(object)) {
    throw new WrongForm('an hstore', value);
  }
  const entries = Object.entries(object).map(([key, item]) => {
    if (item !== null && typeof item !== 'string') throw new WrongForm('an hstore', item);
    return { key, bytes: Buffer.from(key), item: item as string | null };
  });
  const [first] = entries;
  if (entries.length === 1 && first?.key === UNAVAILABLE && first.item === UNAVAILABLE) {
    return undefined;
  }
  entries.sort((a, b) => a.bytes.length - b.bytes.length || a.bytes.compare(b.bytes));
  return entries
    .map(({ key, item }) => `${quoted(key)}=>${item === null ? 'NULL' : quoted(item)}`)
    .join(', ');
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WrongForm('an hstore as JSON', text);
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** The object that Debezium makes of `(1.5,-2)`: with its well-known binary beside the numbers. */
export function pointOf(text: string, bytes: (value: Buffer) => unknown): unknown {
  const [x = NaN, y = NaN] = text.slice(1, -1).split(',').map(Number);
  const wkb = Buffer.alloc(21);
  wkb.writeUInt8(1, 0); // little-endian
  wkb.writeUInt32LE(1, 1); // a point
  wkb.writeDoubleLE(x, 5);
  wkb.writeDoubleLE(y, 13);
  return { x, y, wkb: bytes(wkb), srid: null };
}

const PAIR = /"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")/gsu;

/** The JSON that Debezium makes of `"a"=>"1", "b"=>NULL`. */
export function hstoreJson(text: string): string {
  const pairs = Array.from(text.matchAll(PAIR), ([, key = '', value]) => {
    const item = value === undefined ? 'null' : JSON.stringify(unquoted(value));
    return `${JSON.stringify(unquoted(key))}:${item}`;
  });
  return `{${pairs.join(',')}}`;
}

/** The JSON in which an unchanged large value says so. */
export const UNAVAILABLE_HSTORE = JSON.stringify({ [UNAVAILABLE]: UNAVAILABLE });

function unquoted(text: string): string {
  return text.replace(/\\(.)/gsu, '$1');
}
