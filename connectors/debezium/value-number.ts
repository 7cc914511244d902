import { NOT_CARRIED, ROUNDED, WrongForm, type Read, type Reader } from './value.ts';
import type { WireShape } from './wire-shape.ts';

/** Integers of any width, also as `bigint` where somebody parsed exactly. */
export function readInteger(value: unknown): Read {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value);
    if (Number.isInteger(value)) return ROUNDED;
  }
  if (typeof value === 'bigint') return String(value);
  throw new WrongForm('an integer', value);
}

/** JSON has no words for these; the converter writes texts. */
const NOT_FINITE: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

function floatOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const named = NOT_FINITE.get(value);
  if (named === undefined) throw new WrongForm('a number', value);
  return named;
}

export const readDouble: Reader = (value) => doubleText(floatOf(value));
export const readReal: Reader = (value) => realText(floatOf(value));

/** As `float8out` prints it with the fewest digits: scientific from 1e15 on and below 1e-4. */
function doubleText(value: number): string {
  return value === 0 || !Number.isFinite(value) ? specialText(value) : scaled(value, value, 15);
}

/** As `float4out` prints it: scientific from 1e6 on and below 1e-4. */
function realText(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return specialText(value);
  const float = Math.fround(value);
  if (float === 0 || !Number.isFinite(float)) return specialText(float);
  return scaled(float, fewestDigits(float), 6);
}

function specialText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return String(value); // 0, NaN, Infinity, -Infinity: PostgreSQL's words are the same
}

/** `shown` is printed; `value` decides about the form. */
function scaled(value: number, shown: number, digits: number): string {
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 10 ** digits) return String(shown);
  const [mantissa = '', exponent = ''] = shown.toExponential().split('e');
  const at = Number(exponent);
  if (at >= -4 && at < digits) return String(shown);
  const padded = String(Math.abs(at)).padStart(2, '0');
  return `${mantissa}e${at < 0 ? '-' : '+'}${padded}`;
}

/** The double with the fewest decimal digits that is this float when it is rounded to 32 bits. */
function fewestDigits(float: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const near = Number(float.toPrecision(digits));
    if (Math.fround(near) === float) return near;
    // Above a power of two floats are further apart than below it: the other neighbour may do.
    const step = 10 ** (Math.floor(Math.log10(Math.abs(float))) - digits + 1);
    for (const other of [near + step, near - step]) {
      const rounded = Number(other.toPrecision(digits));
      if (Math.fround(rounded) === float) return rounded;
    }
  }
  return Number(float.toPrecision(9));
}

const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const DECIMAL_WORDS: ReadonlyMap<string, string> = new Map([
  ['NAN', 'NaN'],
  ['NaN', 'NaN'],
  ['POSITIVE_INFINITY', 'Infinity'],
  ['Infinity', 'Infinity'],
  ['NEGATIVE_INFINITY', '-Infinity'],
  ['-Infinity', '-Infinity'],
]);

const readDecimalText: Reader = (value) => {
  if (typeof value !== 'string') throw new WrongForm('a decimal as text', value);
  if (DECIMAL.test(value)) return value;
  const word = DECIMAL_WORDS.get(value);
  if (word === undefined) throw new WrongForm('a decimal as text', value);
  return word;
};

/**
 * Decimals as text are exact. Of those with a scale of their own the trailing zeros are gone, and
 * floating point is somebody's approximation: neither is what the source holds.
 */
export function decimalReader({ type, name, scale }: WireShape): Reader {
  if (type === 'string') return readDecimalText;
  if (type === 'bytes' && name === 'Decimal' && scale !== null) {
    return (value) => unscaledText(bytesOf(value), scale);
  }
  return () => NOT_CARRIED;
}

/** Big-endian two's complement, in base64 where the message is JSON. */
function bytesOf(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(value, 'base64');
  throw new WrongForm('a decimal as bytes', value);
}

function unscaledText(bytes: Buffer, scale: number): string {
  if (bytes.length === 0) throw new WrongForm('a decimal as bytes', bytes);
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  const sign = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  if (scale <= 0) return unscaled === 0n ? '0' : `${sign}${digits}${'0'.repeat(-scale)}`;
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** What Debezium writes for a decimal as text. */
export function decimalWord(text: string): string {
  if (text === 'NaN') return 'NAN';
  if (text === 'Infinity') return 'POSITIVE_INFINITY';
  return text === '-Infinity' ? 'NEGATIVE_INFINITY' : text;
}

/** An integer as a number where that is exact. */
export function integerOf(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}
