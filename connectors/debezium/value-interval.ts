import { trimZeros } from './calendar.ts';
import { NOT_CARRIED, WrongForm, type Reader } from './value.ts';
import type { WireShape } from './wire-shape.ts';

const ISO = /^P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?)(\d+)(?:\.(\d{1,6}))?S$/;

/** As text it is exact; as microseconds months and days are gone. */
export function intervalReader({ type }: WireShape): Reader {
  if (type !== 'string') return () => NOT_CARRIED;
  return (value) => {
    const match = typeof value === 'string' ? ISO.exec(value) : null;
    if (match === null) throw new WrongForm('an ISO interval', value);
    const [, years, months, days, hours, minutes, sign, seconds, fraction] = match;
    return intervalText(
      [Number(years), Number(months), Number(days)],
      `${hours}:${minutes}:${sign}${seconds}`,
      fraction ?? '',
    );
  };
}

const UNITS = ['year', 'mon', 'day'] as const;

/**
 * As `interval_out` prints it with `intervalstyle = postgres`: a field after a negative one has its
 * plus written, `1 mon` is one and `-1 mons` are many, and no field at all is `00:00:00`.
 */
function intervalText(amounts: readonly number[], clock: string, fraction: string): string {
  const parts: string[] = [];
  let isAfterMinus = false;
  for (const [i, amount] of amounts.entries()) {
    if (amount === 0) continue;
    const plus = isAfterMinus && amount > 0 ? '+' : '';
    parts.push(`${plus}${amount} ${UNITS[i]}${amount === 1 ? '' : 's'}`);
    isAfterMinus = amount < 0;
  }
  const digits = trimZeros(fraction);
  const fields = clock.split(':').map(Number);
  if (parts.length === 0 || digits !== '' || fields.some((field) => field !== 0)) {
    const isMinus = clock.includes('-');
    const shown = fields.map((field) => String(Math.abs(field)).padStart(2, '0')).join(':');
    const sign = isMinus ? '-' : isAfterMinus ? '+' : '';
    parts.push(`${sign}${shown}${digits === '' ? '' : `.${digits}`}`);
  }
  return parts.join(' ');
}

const FIELD = /([+-]?\d+) (year|mon|day)s?/g;
const CLOCK = /([+-]?)(\d+):(\d\d):(\d\d(?:\.\d+)?)$/;

/** The ISO form of PostgreSQL's text, as Debezium writes it; null for what it has no form for. */
export function isoInterval(text: string): string | null {
  if (text.includes('infinity')) return null;
  const amounts = { year: 0, mon: 0, day: 0 };
  for (const [, amount, unit] of text.matchAll(FIELD)) {
    amounts[unit as keyof typeof amounts] = Number(amount);
  }
  const clock = CLOCK.exec(text);
  const [, sign = '', hours = '0', minutes = '0', seconds = '0'] = clock ?? [];
  const signed = (digits: string): string => {
    const bare = plainNumber(digits);
    return sign === '-' && bare !== '0' ? `-${bare}` : bare;
  };
  return (
    `P${amounts.year}Y${amounts.mon}M${amounts.day}D` +
    `T${signed(hours)}H${signed(minutes)}M${signed(seconds)}S`
  );
}

/** Without zeros before the first digit and behind the last of a fraction. */
function plainNumber(digits: string): string {
  const [whole = '', fraction = ''] = digits.split('.');
  const trimmed = trimZeros(fraction);
  return `${Number(whole)}${trimmed === '' ? '' : `.${trimmed}`}`;
}
