/**
 * How the connector was told to write values. Where messages carry a schema (Avro, JSON with
 * schemas) that schema decides instead.
 */
export type ValueModes = {
  /** `decimal.handling.mode` */
  readonly decimal: 'string' | 'precise' | 'double';
  /** `time.precision.mode` */
  readonly time:
    | 'adaptive'
    | 'adaptive_time_microseconds'
    | 'microseconds'
    | 'nanoseconds'
    | 'isostring'
    | 'connect'
    | 'structured';
  /** `binary.handling.mode` */
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex';
  /** `interval.handling.mode` */
  readonly interval: 'string' | 'numeric';
  /** `hstore.handling.mode` */
  readonly hstore: 'json' | 'map';
  /** `include.unknown.datatypes` */
  readonly unknown: boolean;
};

/** What `tandem connector` configures and the relay writes: the most that Debezium can carry. */
export const EXACT_MODES: ValueModes = {
  decimal: 'string',
  time: 'adaptive',
  binary: 'bytes',
  interval: 'string',
  hstore: 'json',
  unknown: true,
};

type LossyMode = {
  /** The connector's setting. */
  readonly setting: string;
  readonly value: string;
  readonly better: string;
  readonly why: string;
};

/**
 * The settings that lose values. They are found row by row and read again from the source, which
 * costs a query each; better change the connector.
 */
export function lossyModes(modes: ValueModes): readonly LossyMode[] {
  const found: LossyMode[] = [];
  const { decimal, time, interval } = modes;
  if (decimal !== 'string') {
    found.push({
      setting: 'decimal.handling.mode',
      value: decimal,
      better: EXACT_MODES.decimal,
      why:
        decimal === 'double'
          ? 'decimals are rounded to floating point'
          : 'NaN and infinity come as null, trailing zeros get lost',
    });
  }
  const timeLoss = TIME_LOSS[time];
  if (timeLoss !== null) {
    found.push({
      setting: 'time.precision.mode',
      value: time,
      better: EXACT_MODES.time,
      why: timeLoss,
    });
  }
  if (interval !== 'string') {
    found.push({
      setting: 'interval.handling.mode',
      value: interval,
      better: EXACT_MODES.interval,
      why: 'months and days are turned into microseconds',
    });
  }
  if (!modes.unknown) {
    found.push({
      setting: 'include.unknown.datatypes',
      value: 'false',
      better: 'true',
      why: 'columns of composite and other rare types are left out',
    });
  }
  return found;
}

const TIME_LOSS: Readonly<Record<ValueModes['time'], string | null>> = {
  adaptive: null,
  adaptive_time_microseconds: null,
  microseconds: null,
  isostring: null,
  nanoseconds: 'times before 1677 and after 2262 do not fit',
  connect: 'times are cut to milliseconds',
  structured: 'its form is not read',
};
