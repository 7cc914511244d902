import type { ConnectorConfig } from './connector-secrets.ts';
import type { ValueModes } from './value-modes.ts';

/** The connector's settings for how values are written. */
export function modeSettings(modes: ValueModes): ConnectorConfig {
  return {
    'decimal.handling.mode': modes.decimal,
    'time.precision.mode': modes.time,
    'interval.handling.mode': modes.interval,
    'hstore.handling.mode': modes.hstore,
    'binary.handling.mode': modes.binary,
    'include.unknown.datatypes': String(modes.unknown),
  };
}

/** How a connector with this configuration writes values; what it does not say is Debezium's default. */
export function modesOf(config: ConnectorConfig): ValueModes {
  return {
    decimal: word(config['decimal.handling.mode'], DECIMALS, 'precise'),
    time: word(config['time.precision.mode'], TIMES, 'adaptive'),
    interval: word(config['interval.handling.mode'], INTERVALS, 'numeric'),
    hstore: word(config['hstore.handling.mode'], HSTORES, 'json'),
    binary: word(config['binary.handling.mode'], BINARIES, 'bytes'),
    unknown: config['include.unknown.datatypes']?.toLowerCase() === 'true',
  };
}

const DECIMALS = ['string', 'precise', 'double'] as const satisfies ValueModes['decimal'][];
const TIMES = [
  ...(['adaptive', 'adaptive_time_microseconds', 'microseconds', 'nanoseconds'] as const),
  ...(['isostring', 'connect', 'structured'] as const),
] as const satisfies ValueModes['time'][];
const INTERVALS = ['string', 'numeric'] as const satisfies ValueModes['interval'][];
const HSTORES = ['json', 'map'] as const satisfies ValueModes['hstore'][];
const BINARIES = [
  'bytes',
  'base64',
  'base64-url-safe',
  'hex',
] as const satisfies ValueModes['binary'][];

/** A word that Debezium does not know starts no connector, so it is not met here. */
function word<T extends string>(text: string | undefined, known: readonly T[], standard: T): T {
  return known.find((it) => it === text?.toLowerCase()) ?? standard;
}
