import type { ColumnType } from './column-type.ts';
import type { ValueModes } from './value-modes.ts';

/** How a value stands in a message, in the words of Kafka Connect. */
export type WireShape = {
  readonly type:
    | 'boolean'
    | 'int16'
    | 'int32'
    | 'int64'
    | 'float'
    | 'double'
    | 'string'
    | 'bytes'
    | 'array'
    | 'map'
    | 'struct'
    | 'unknown';
  /** The semantic name, without its package: `MicroTimestamp`, `Decimal`; empty for a plain value. */
  readonly name: string;
  /** Of a `Decimal`. */
  readonly scale: number | null;
  /** Of an array's elements. */
  readonly items: WireShape | null;
};

export function plain(type: WireShape['type'], name = ''): WireShape {
  return { type, name, scale: null, items: null };
}

/** What a connector with these settings writes for a column of this type. */
export function expectedShape(type: ColumnType, modes: ValueModes): WireShape {
  if (type.isArray) {
    return { ...plain('array'), items: expectedShape({ ...type, isArray: false }, modes) };
  }
  switch (type.name) {
    case 'boolean':
      return plain('boolean');
    case 'smallint':
      return plain('int16');
    case 'integer':
      return plain('int32');
    case 'bigint':
    case 'oid':
      return plain('int64');
    case 'real':
      return plain('float');
    case 'double precision':
      return plain('double');
    case 'numeric':
      return decimalShape(type, modes);
    case 'money':
      return modes.decimal === 'string'
        ? plain('string')
        : modes.decimal === 'double'
          ? plain('double')
          : plain('bytes', 'Decimal');
    case 'date':
      return modes.time === 'isostring' ? plain('string', 'IsoDate') : plain('int32', 'Date');
    case 'time without time zone':
      return clockShape('Time', type, modes);
    case 'timestamp without time zone':
      return clockShape('Timestamp', type, modes);
    case 'timestamp with time zone':
      return modes.time === 'structured' ? plain('struct') : plain('string', 'ZonedTimestamp');
    case 'time with time zone':
      return modes.time === 'structured' ? plain('struct') : plain('string', 'ZonedTime');
    case 'interval':
      if (modes.time === 'structured') return plain('struct');
      return modes.interval === 'string'
        ? plain('string', 'Interval')
        : plain('int64', 'MicroDuration');
    case 'bytea':
      return binaryShape(modes);
    case 'bit':
    case 'bit varying':
      return type.modifiers[0] === 1 ? plain('boolean') : plain('bytes', 'Bits');
    case 'uuid':
      return plain('string', 'Uuid');
    case 'json':
    case 'jsonb':
      return plain('string', 'Json');
    case 'hstore':
      return modes.hstore === 'json' ? plain('string', 'Json') : plain('map');
    case 'point':
      return plain('struct', 'Point');
    default:
      if (TEXTS.has(type.name) || type.madeKind === 'e') return plain('string');
      if (STRUCTURES.has(type.name)) return plain('struct');
      return plain('unknown');
  }
}

/** Types whose text comes as it is. `isbn` and `ltree` are extensions that Debezium knows. */
export const TEXTS: ReadonlySet<string> = new Set([
  ...['text', 'character varying', 'character', '"char"', 'citext', 'name', 'xml', 'uuid'],
  ...['inet', 'cidr', 'macaddr', 'macaddr8', 'tsvector', 'json', 'jsonb', 'ltree', 'isbn'],
  ...['int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange'],
]);

/** Types that come taken apart, in a form from which their text cannot be made again. */
export const STRUCTURES: ReadonlySet<string> = new Set([
  ...['box', 'lseg', 'path', 'polygon', 'circle', 'line', 'geometry', 'geography'],
  ...['vector', 'halfvec', 'sparsevec'],
]);

function decimalShape({ modifiers }: ColumnType, { decimal }: ValueModes): WireShape {
  if (decimal === 'string') return plain('string');
  if (decimal === 'double') return plain('double');
  if (modifiers.length === 0) return plain('struct', 'VariableScaleDecimal');
  return { ...plain('bytes', 'Decimal'), scale: modifiers[1] ?? 0 };
}

function clockShape(
  name: 'Time' | 'Timestamp',
  { modifiers }: ColumnType,
  { time }: ValueModes,
): WireShape {
  const isShort = (modifiers[0] ?? 6) <= 3;
  const millis = plain(name === 'Time' ? 'int32' : 'int64', name);
  switch (time) {
    case 'adaptive':
      return isShort ? millis : plain('int64', `Micro${name}`);
    case 'adaptive_time_microseconds':
      return isShort && name === 'Timestamp' ? millis : plain('int64', `Micro${name}`);
    case 'microseconds':
      return plain('int64', `Micro${name}`);
    case 'nanoseconds':
      return plain('int64', `Nano${name}`);
    case 'connect':
      return millis;
    case 'isostring':
      return plain('string', `Iso${name}`);
    case 'structured':
      return plain('struct');
  }
}

function binaryShape({ binary }: ValueModes): WireShape {
  return binary === 'bytes' ? plain('bytes') : plain('string');
}

type ConnectSchema = {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly field?: unknown;
  readonly parameters?: { readonly scale?: unknown };
  readonly items?: unknown;
  readonly fields?: unknown;
};

const CONNECT_TYPES: ReadonlyMap<unknown, WireShape['type']> = new Map<unknown, WireShape['type']>([
  ...(['boolean', 'int16', 'int32', 'int64', 'float', 'double', 'string', 'bytes'] as const).map(
    (type) => [type, type] as const,
  ),
  ...(['array', 'map', 'struct'] as const).map((type) => [type, type] as const),
  ['int8', 'int16'],
]);

/** From a schema as the JSON converter writes it. */
export function shapeOfConnect(schema: unknown): WireShape {
  const { type, name, parameters, items } = schema as ConnectSchema;
  return {
    type: CONNECT_TYPES.get(type) ?? 'unknown',
    name: lastPart(name),
    scale: parameters?.scale === undefined ? null : Number(parameters.scale),
    items: items === undefined ? null : shapeOfConnect(items),
  };
}

/** The fields of a struct's schema by their names; empty for anything else. */
export function connectFields(schema: unknown): ReadonlyMap<string, unknown> {
  const { fields } = (schema ?? {}) as ConnectSchema;
  if (!Array.isArray(fields)) return new Map();
  return new Map((fields as ConnectSchema[]).map((field) => [String(field.field), field]));
}

/** `io.debezium.time.Date` is `Date`. */
export function lastPart(name: unknown): string {
  return typeof name === 'string' ? name.slice(name.lastIndexOf('.') + 1) : '';
}
