/** `2025-03-01 12:00:00.123456+00`, and `0044-03-15 12:00:00+00 BC`: PostgreSQL's text in UTC. */
const TIME =
  /^(\d{4,})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?:\+00(?::?00)?|Z)?( BC)?$/;

const DAY_MICROS = 86_400_000_000n;

/**
 * Year and month of a timestamptz text as digits, `202503`; `000000` where there is none: an
 * infinite time, or null. The text is in UTC, as every session of ours asks for. A year before
 * Christ keeps the digits that PostgreSQL prints.
 */
export function yearMonth(time: string | null): string {
  const match = TIME.exec(time ?? '');
  return match === null ? '000000' : `${match[1]}${match[2]}`;
}

/** Days from 1970-01-01 in the Gregorian calendar, for any year. */
function daysFromEpoch(year: bigint, month: bigint, day: bigint): bigint {
  // Counting years from March puts the leap day at the end (Howard Hinnant, days_from_civil).
  const y = month <= 2n ? year - 1n : year;
  const era = (y >= 0n ? y : y - 399n) / 400n;
  const yearOfEra = y - era * 400n;
  const dayOfYear = (153n * (month + (month > 2n ? -3n : 9n)) + 2n) / 5n + day - 1n;
  const dayOfEra = yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear;
  return era * 146_097n + dayOfEra - 719_468n;
}

/** Microseconds since 1970 of a timestamptz text in UTC; null for an infinite time. */
export function microsOf(time: string): bigint | null {
  const match = TIME.exec(time);
  if (match === null) return null;
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = match;
  const astronomicalYear = match[8] === undefined ? BigInt(year) : 1n - BigInt(year);
  const days = daysFromEpoch(astronomicalYear, BigInt(month), BigInt(day));
  const seconds = (BigInt(hour) * 60n + BigInt(minute)) * 60n + BigInt(second);
  return days * DAY_MICROS + seconds * 1_000_000n + BigInt((match[7] ?? '').padEnd(6, '0'));
}

const pad = (value: bigint): string => String(value).padStart(2, '0');

/**
 * `to - from` of two timestamptz texts, as PostgreSQL prints it: `2 days 03:04:05.678`. Null where
 * one is missing or infinite, since only PostgreSQL 17 and later know an infinite interval.
 */
export function interval(from: string | null, to: string | null): string | null {
  const start = from === null ? null : microsOf(from);
  const end = to === null ? null : microsOf(to);
  if (start === null || end === null) return null;
  const micros = end - start;
  const size = micros < 0n ? -micros : micros;
  const sign = micros < 0n ? '-' : '';

  const days = size / DAY_MICROS;
  const seconds = (size % DAY_MICROS) / 1_000_000n;
  const fraction = String(size % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const clock = `${pad(seconds / 3600n)}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}`;
  const time = fraction === '' ? clock : `${clock}.${fraction}`;

  if (days === 0n) return `${sign}${time}`;
  const unit = days === 1n && sign === '' ? 'day' : 'days';
  return size % DAY_MICROS === 0n
    ? `${sign}${days} ${unit}`
    : `${sign}${days} ${unit} ${sign}${time}`;
}
