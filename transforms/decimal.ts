/**
 * A `numeric`, exact: `units` divided by ten to the power of `scale`, or one of the three values
 * that are no number.
 */
export type Decimal =
  { readonly units: bigint; readonly scale: number } | 'NaN' | 'Infinity' | '-Infinity';

const FINITE = /^(-?)(\d*)\.?(\d*)$/;

/** Reads what PostgreSQL prints for a numeric: `-12.50`, `NaN`, `Infinity`. */
export function parseDecimal(text: string): Decimal {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return text;
  const match = FINITE.exec(text);
  if (match === null) throw new Error('not the text of a numeric');
  const [, sign = '', whole = '', fraction = ''] = match;
  const size = BigInt(`${whole}${fraction}` || '0');
  return { units: sign === '-' ? -size : size, scale: fraction.length };
}

const unitsAt = (scale: number, value: { units: bigint; scale: number }): bigint =>
  value.units * 10n ** BigInt(scale - value.scale);

/** Order among the values that are no number, around all that are. NaN is the greatest. */
const RANK = { '-Infinity': -1, Infinity: 1, NaN: 2 } as const;
const rank = (value: Decimal): number => (typeof value === 'string' ? RANK[value] : 0);

/** Negative when `a` is the smaller. PostgreSQL's order: NaN equals itself and exceeds all else. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (typeof a === 'string' || typeof b === 'string') return rank(a) - rank(b);
  const scale = Math.max(a.scale, b.scale);
  const [left, right] = [unitsAt(scale, a), unitsAt(scale, b)];
  return left === right ? 0 : left < right ? -1 : 1;
}

/** `a + b`, as PostgreSQL adds: infinities of two signs give NaN. */
export function addDecimals(a: Decimal, b: Decimal): Decimal {
  if (typeof a !== 'string' && typeof b !== 'string') {
    const scale = Math.max(a.scale, b.scale);
    return { units: unitsAt(scale, a) + unitsAt(scale, b), scale };
  }
  if (typeof a !== 'string') return b;
  if (typeof b !== 'string' || a === b) return a;
  return 'NaN';
}

const ZERO: Decimal = { units: 0n, scale: 0 };

/** The sum of numeric texts; nulls do not count, and no values make zero. */
export function sumOf(texts: readonly (string | null)[]): Decimal {
  return texts
    .filter((text) => text !== null)
    .map(parseDecimal)
    .reduce(addDecimals, ZERO);
}

export const isAboveZero = (value: Decimal): boolean => compareDecimals(value, ZERO) > 0;
