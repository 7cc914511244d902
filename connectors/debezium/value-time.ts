import { dayOf, dayText, daysOf, timestampText, timeText, trimZeros } from './calendar.ts';
import type { ColumnType } from './column-type.ts';
import { NOT_CARRIED, ROUNDED, WrongForm, type Read, type Reader } from './value.ts';
import type { WireShape } from './wire-shape.ts';

/** Days since 1970 of infinity: what Debezium makes of the JDBC driver's constants. */
const DATE_INFINITY = 2_146_033_979;
const DATE_MINUS_INFINITY = -2_147_472_691;
/** The last years that the types know; ISO texts of later ones mean infinity. */
const LAST_DATE_YEAR = 5_874_897;
const LAST_TIMESTAMP_YEAR = 294_276;
const FIRST_YEAR = -4713;

export function dateReader({ type }: WireShape): Reader {
  if (type === 'string') return (value) => isoDate(textOf(value));
  if (type !== 'int32') return () => NOT_CARRIED;
  return (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw new WrongForm('days', value);
    if (value === DATE_INFINITY) return 'infinity';
    if (value === DATE_MINUS_INFINITY) return '-infinity';
    const { text, isBc } = dayOf(value);
    return isBc ? `${text} BC` : text;
  };
}

const UNIT_MICROS = { millis: 1000, micros: 1, nanos: -1 } as const;
type Unit = keyof typeof UNIT_MICROS;

function unitOf(name: string): Unit {
  return name.startsWith('Micro') ? 'micros' : name.startsWith('Nano') ? 'nanos' : 'millis';
}

/** Whether a column may have digits that the unit does not. */
function isCut(unit: Unit, { modifiers }: ColumnType): boolean {
  return unit === 'millis' && (modifiers[0] ?? 6) > 3;
}

export function timeReader(shape: WireShape, column: ColumnType): Reader {
  if (shape.type === 'string') return (value) => isoTime(textOf(value));
  if (shape.type !== 'int32' && shape.type !== 'int64') return () => NOT_CARRIED;
  const unit = unitOf(shape.name);
  if (isCut(unit, column)) return () => NOT_CARRIED;
  return (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw new WrongForm('a time', value);
    return timeText(unit === 'nanos' ? value / 1000 : value * UNIT_MICROS[unit]);
  };
}

/** Infinity in each unit, beside the nearest double, which is what `JSON.parse` makes of it. */
const INFINITY: Readonly<Record<Unit, bigint>> = {
  micros: 9_223_372_036_854_775_807n,
  nanos: 9_223_372_036_854_775_807n,
  millis: 9_223_372_036_825_200_000n,
};
const MINUS_INFINITY: Readonly<Record<Unit, bigint>> = {
  micros: -9_223_372_036_854_775_808n,
  nanos: -9_223_372_036_854_775_808n,
  millis: -9_223_372_036_832_400_000n,
};

export function timestampReader(shape: WireShape, column: ColumnType): Reader {
  if (shape.type === 'string') return (value) => isoTimestamp(textOf(value), '');
  if (shape.type !== 'int64') return () => NOT_CARRIED;
  const unit = unitOf(shape.name);
  const cut = isCut(unit, column);
  return (value): Read => {
    if (typeof value === 'number') {
      if (!Number.isInteger(value)) throw new WrongForm('a timestamp', value);
      if (!Number.isSafeInteger(value)) return ROUNDED;
      if (cut) return NOT_CARRIED;
      if (unit === 'micros') return timestampText(value, '');
    } else if (typeof value !== 'bigint') {
      throw new WrongForm('a timestamp', value);
    }
    const exact = BigInt(value);
    if (exact === INFINITY[unit]) return 'infinity';
    if (exact === MINUS_INFINITY[unit]) return '-infinity';
    if (cut) return NOT_CARRIED;
    return timestampText(unit === 'nanos' ? exact / 1000n : exact * BigInt(UNIT_MICROS[unit]), '');
  };
}

export const readZonedTimestamp: Reader = (value) => {
  const text = textOf(value);
  if (text === 'infinity' || text === '-infinity') return text;
  return isoTimestamp(text, '+00');
};

const SHORT_ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const ISO = /^([+-]?\d{4,9})-(\d\d)-(\d\d)T(\d\d:\d\d)(?::(\d\d))?(?:\.(\d{1,9}))?(?:Z|\+00:00)$/;

function isoTimestamp(text: string, zone: '' | '+00'): string {
  if (SHORT_ISO.test(text) && !text.startsWith('0000')) {
    const seconds = `${text.slice(0, 10)} ${text.slice(11, 19)}`;
    const fraction = text.length === 20 ? '' : trimZeros(text.slice(20, -1));
    return fraction === '' ? seconds + zone : `${seconds}.${fraction}${zone}`;
  }
  const match = ISO.exec(text);
  if (match === null) throw new WrongForm('an ISO timestamp in UTC', text);
  const [, yearText, month, day, minutes = '', seconds = '00', digits = ''] = match;
  const year = Number(yearText);
  if (year > LAST_TIMESTAMP_YEAR) return 'infinity';
  if (year < FIRST_YEAR) return '-infinity';
  const { text: date, isBc } = dayText(year, Number(month), Number(day));
  const fraction = trimZeros(digits);
  const clock = `${minutes}:${seconds}${fraction === '' ? '' : '.'}${fraction}`;
  return `${date} ${clock}${zone}${isBc ? ' BC' : ''}`;
}

const ISO_DATE = /^([+-]?\d{4,9})-(\d\d)-(\d\d)(?:Z|\+00:00)?$/;

function isoDate(text: string): string {
  const match = ISO_DATE.exec(text);
  if (match === null) throw new WrongForm('an ISO date', text);
  const year = Number(match[1]);
  if (year > LAST_DATE_YEAR) return 'infinity';
  if (year < FIRST_YEAR) return '-infinity';
  const { text: date, isBc } = dayText(year, Number(match[2]), Number(match[3]));
  return isBc ? `${date} BC` : date;
}

const ISO_TIME = /^(\d\d:\d\d)(?::(\d\d))?(?:\.(\d{1,9}))?(?:Z|\+00:00)?$/;

function isoTime(text: string): string {
  const match = ISO_TIME.exec(text);
  if (match === null) throw new WrongForm('an ISO time', text);
  const fraction = trimZeros(match[3] ?? '');
  return `${match[1]}:${match[2] ?? '00'}${fraction === '' ? '' : `.${fraction}`}`;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new WrongForm('a time as text', value);
  return value;
}

const PG_DATE = /^(\d{4,})-(\d\d)-(\d\d)/;
const PG_CLOCK = /(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?/;

/** Days since 1970 of `2024-02-29`, with ` BC` behind it or not. */
function parseDays(text: string): number {
  const [, year, month, day] = PG_DATE.exec(text) ?? [];
  const counted = text.endsWith(' BC') ? 1 - Number(year) : Number(year);
  return daysOf(counted, Number(month), Number(day));
}

/** Microseconds since midnight. */
function parseClock(text: string): number {
  const [, hours, minutes, seconds, fraction = ''] = PG_CLOCK.exec(text) ?? [];
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return whole * 1_000_000 + Number(fraction.padEnd(6, '0'));
}

/** What Debezium writes for a date. */
export function dateDays(text: string): number {
  if (text === 'infinity') return DATE_INFINITY;
  if (text === '-infinity') return DATE_MINUS_INFINITY;
  return parseDays(text);
}

/** What Debezium writes for a time of day, in the unit of `shape`. */
export function timeNumber(text: string, { name }: WireShape): number {
  const micros = parseClock(text);
  return unitOf(name) === 'millis' ? Math.trunc(micros / 1000) : micros;
}

/** What Debezium writes for a timestamp without time zone, in the unit of `shape`. */
export function timestampNumber(text: string, { name }: WireShape): number | bigint {
  const unit = unitOf(name);
  if (text === 'infinity') return INFINITY[unit];
  if (text === '-infinity') return MINUS_INFINITY[unit];
  const exact = BigInt(parseDays(text)) * 86_400_000_000n + BigInt(parseClock(text.slice(10)));
  const inUnit = unit === 'millis' ? exact / 1000n : exact;
  const number = Number(inUnit);
  return Number.isSafeInteger(number) ? number : BigInt.asIntN(64, inUnit);
}

/** `2024-02-29T10:34:56.789012Z` from PostgreSQL's text in UTC. */
export function zonedIso(text: string): string {
  if (text === 'infinity' || text === '-infinity') return text;
  const [, year = '', month, day] = PG_DATE.exec(text) ?? [];
  const [, hours, minutes, seconds, fraction = ''] = PG_CLOCK.exec(text) ?? [];
  const counted = text.endsWith(' BC') ? 1 - Number(year) : Number(year);
  const digits = String(Math.abs(counted)).padStart(4, '0');
  const shown = counted < 0 ? `-${digits}` : counted > 9999 ? `+${digits}` : digits;
  return `${shown}-${month}-${day}T${hours}:${minutes}:${seconds}.${fraction.padEnd(6, '0')}Z`;
}

/** `10:34:56.789012Z`: the time in UTC. The zone that it had is lost. */
export function zonedTimeIso(text: string): string {
  const [, sign = '+', hours = '0', minutes = '0', seconds = '0'] =
    /([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text) ?? [];
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1_000_000;
  const day = 86_400_000_000;
  const shifted = parseClock(text) + (sign === '-' ? offset : -offset);
  const [clock = '', fraction = ''] = timeText(((shifted % day) + day) % day).split('.');
  return `${clock}.${fraction.padEnd(6, '0')}Z`;
}
