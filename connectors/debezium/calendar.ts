const DAY_MICROS = 86_400_000_000;

/** A day of the proleptic Gregorian calendar, counted from 1970-01-01; BC as PostgreSQL has it. */
type Day = { readonly text: string; readonly isBc: boolean };

/** `2024-02-29`; the year in at least four digits, those before the year 1 counted backwards. */
export function dayOf(days: number): Day {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return dayText(year, month, day);
}

/** @param year 0 is 1 BC, -1 is 2 BC, as ISO 8601 counts them */
export function dayText(year: number, month: number, day: number): Day {
  const isBc = year <= 0;
  const shown = String(isBc ? 1 - year : year).padStart(4, '0');
  return { text: `${shown}-${two(month)}-${two(day)}`, isBc };
}

/** The inverse: days since 1970-01-01 of a year as ISO 8601 counts them. */
export function daysOf(year: number, month: number, day: number): number {
  const fromMarch = month <= 2 ? year - 1 : year;
  const era = Math.floor(fromMarch / 400);
  const yearOfEra = fromMarch - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + dayOfEra + dayOfYear - 719_468;
}

/** `12:34:56.789`; 24:00:00 is a time of day in PostgreSQL. */
export function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds - hours * 3600) / 60);
  const clock = `${two(hours)}:${two(minutes)}:${two(seconds - hours * 3600 - minutes * 60)}`;
  return fraction === 0 ? clock : `${clock}.${trimZeros(String(fraction).padStart(6, '0'))}`;
}

/**
 * `2024-02-29 12:34:56.789`, with `zone` behind the time.
 *
 * @param micros since 1970-01-01 00:00
 */
export function timestampText(micros: number | bigint, zone: '' | '+00'): string {
  let days: number;
  let rest: number;
  if (typeof micros === 'number') {
    rest = micros % DAY_MICROS;
    if (rest < 0) rest += DAY_MICROS;
    days = (micros - rest) / DAY_MICROS; // exact: the division leaves nothing
  } else {
    const day = BigInt(DAY_MICROS);
    const remainder = ((micros % day) + day) % day;
    days = Number((micros - remainder) / day);
    rest = Number(remainder);
  }
  const { text, isBc } = dayOf(days);
  return `${text} ${timeText(rest)}${zone}${isBc ? ' BC' : ''}`;
}

/** Digits of a fraction without the zeros at their end. */
export function trimZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}

const TWO = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'));

function two(number: number): string {
  return TWO[number] ?? String(number);
}
