import type { ColumnType } from './column-type.ts';
import { UNAVAILABLE } from './message.ts';
import { NOT_CARRIED, WrongForm, type Read, type Reader } from './value.ts';
import type { ValueModes } from './value-modes.ts';
import type { WireShape } from './wire-shape.ts';

const UNAVAILABLE_BYTES = Buffer.from(UNAVAILABLE);
const UNAVAILABLE_BASE64 = UNAVAILABLE_BYTES.toString('base64');
const UNAVAILABLE_HEX = UNAVAILABLE_BYTES.toString('hex');

/** `\x0a0b`, as `bytea_output = hex` prints it. */
export function byteaReader(binary: ValueModes['binary']): Reader {
  return (value) => {
    if (Buffer.isBuffer(value)) {
      return value.equals(UNAVAILABLE_BYTES) ? undefined : `\\x${value.toString('hex')}`;
    }
    if (binary === 'hex') {
      if (value === UNAVAILABLE_HEX) return undefined;
      return `\\x${hexOf(value)}`;
    }
    if (value === UNAVAILABLE_BASE64) return undefined;
    return `\\x${base64Bytes(value).toString('hex')}`;
  };
}

const HEX = /^(?:[0-9a-f]{2})*$/i;

function hexOf(value: unknown): string {
  if (typeof value !== 'string' || !HEX.test(value)) throw new WrongForm('bytes in hex', value);
  return value.toLowerCase();
}

/** Both alphabets; `Buffer` itself would pass over what is no base64. */
function base64Bytes(value: unknown): Buffer {
  if (typeof value !== 'string') throw new WrongForm('bytes in base64', value);
  const bytes = Buffer.from(value, 'base64');
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  const expected = (value.length / 4) * 3 - padding;
  if (bytes.length !== expected) throw new WrongForm('bytes in base64', value);
  return bytes;
}

/**
 * `bit(n)` comes as little-endian bytes, and a single bit as a boolean. Of `bit varying` the length
 * is lost, and with it the zeros in front.
 */
export function bitReader({ name, modifiers }: ColumnType): Reader {
  const length = modifiers[0] ?? 1;
  if (name !== 'bit') return () => NOT_CARRIED;
  return (value) => {
    if (typeof value === 'boolean' && length === 1) return value ? '1' : '0';
    const bytes = Buffer.isBuffer(value) ? value : base64Bytes(value);
    let bits = '';
    for (const byte of bytes) bits = byte.toString(2).padStart(8, '0') + bits;
    const first = bits.indexOf('1');
    const significant = first === -1 ? '' : bits.slice(first);
    if (significant.length > length) throw new WrongForm(`${length} bits`, value);
    return significant.padStart(length, '0');
  };
}

/**
 * Types that Debezium does not know come as the bytes of their text. A type that somebody made may
 * also be an enum, whose label comes as it is; without a schema the two can look alike.
 */
export function unknownReader(
  { madeKind, name }: ColumnType,
  { type }: WireShape,
  modes: ValueModes,
): Reader {
  if (type === 'string' && modes.binary === 'bytes') return readPlain;
  if (type === 'bytes') return (value) => textOfBytes(value, 'base64');
  if (!modes.unknown) return () => NOT_CARRIED;
  const form = modes.binary === 'hex' ? 'hex' : 'base64';
  const isKnownAsBytes = madeKind === 'c' || madeKind === 'r' || madeKind === 'm';
  if (isKnownAsBytes || BUILT_IN_UNKNOWN.has(name)) return (value) => textOfBytes(value, form);
  if (madeKind === 'e') return readPlain;
  return (value) => {
    if (typeof value !== 'string') return NOT_CARRIED;
    const decoded = Buffer.from(value, form);
    const mayBeBytes = decoded.length > 0 && decoded.toString(form) === value;
    return mayBeBytes && decoded[0] === 0x28 && decoded.at(-1) === 0x29 ? NOT_CARRIED : value;
  };
}

const BUILT_IN_UNKNOWN: ReadonlySet<string> = new Set([
  ...['int4multirange', 'int8multirange', 'nummultirange', 'datemultirange', 'tsmultirange'],
  ...['jsonpath', 'tsquery', 'pg_lsn', 'txid_snapshot', 'pg_snapshot', 'xid', 'xid8', 'cid', 'tid'],
]);

function textOfBytes(value: unknown, form: 'hex' | 'base64'): Read {
  if (!Buffer.isBuffer(value) && typeof value !== 'string') return NOT_CARRIED;
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value, form);
  if (typeof value === 'string' && bytes.toString(form) !== value) return NOT_CARRIED;
  const text = bytes.toString('utf8');
  return text === UNAVAILABLE ? undefined : text;
}

export const readPlain: Reader = (value) => {
  if (typeof value !== 'string') throw new WrongForm('text', value);
  return value;
};

/** Little-endian bytes of a bit string, as many as its highest bit needs, as Debezium writes them. */
export function bytesOfBits(bits: string): Buffer {
  const significant = bits.replace(/^0+/, '');
  const bytes: number[] = [];
  for (let end = significant.length; end > 0; end -= 8) {
    bytes.push(Number.parseInt(significant.slice(Math.max(0, end - 8), end), 2));
  }
  return Buffer.from(bytes);
}

/** The bytes that `\\x0a0b` stands for. */
export function bytesOfBytea(text: string): Buffer {
  return Buffer.from(text.slice(2), 'hex');
}
