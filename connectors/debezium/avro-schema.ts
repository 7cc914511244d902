import type { MirrorTable } from '../../core/mirror-table.ts';
import { avroName } from './avro.ts';
import type { ColumnWriter } from './column-writer.ts';
import type { WireShape } from './wire-shape.ts';

/** A table's schemas, as Debezium's converter would register them. */
export type TableSchemas = { readonly key: unknown; readonly value: unknown };

/**
 * Key columns are required, all others may be null and are so by default: a column that is added,
 * or goes, leaves the schemas compatible in both directions.
 */
export function tableSchemas(
  topic: string,
  table: MirrorTable,
  writers: readonly ColumnWriter[],
): TableSchemas {
  const namespace = topic.split('.').map(avroName).join('.');
  const inKey = new Set<string>();
  const inRow = new Set<string>();
  const row = {
    type: 'record',
    name: 'Value',
    fields: writers.map((writer, i) =>
      i < table.keyLength
        ? requiredField(writer, inRow)
        : optional(writer.name, avroTypeOf(writer.shape, inRow)),
    ),
    'connect.name': `${namespace}.Value`,
  };
  return {
    key: {
      type: 'record',
      name: 'Key',
      namespace,
      fields: writers.slice(0, table.keyLength).map((writer) => requiredField(writer, inKey)),
      'connect.name': `${namespace}.Key`,
    },
    value: {
      type: 'record',
      name: 'Envelope',
      namespace,
      fields: [
        optional('before', row),
        optional('after', 'Value'),
        { name: 'source', type: SOURCE },
        ...ENVELOPE_END,
      ],
      'connect.version': 2,
      'connect.name': `${namespace}.Envelope`,
    },
  };
}

/** The schemas of the topic of logical messages. */
export function messageSchemas(): TableSchemas {
  const name = 'io.debezium.connector.postgresql';
  const content = {
    type: 'record',
    name: 'Message',
    namespace: name,
    fields: [optional('prefix', 'string'), optional('content', 'bytes')],
    'connect.name': `${name}.Message`,
  };
  return {
    key: {
      type: 'record',
      name: 'MessageKey',
      namespace: name,
      fields: [optional('prefix', 'string')],
      'connect.name': `${name}.MessageKey`,
    },
    value: {
      type: 'record',
      name: 'MessageValue',
      namespace: name,
      fields: [
        { name: 'op', type: 'string' },
        optional('ts_ms', 'long'),
        { name: 'source', type: SOURCE },
        optional('transaction', BLOCK),
        { name: 'message', type: content },
      ],
      'connect.version': 1,
      'connect.name': `${name}.MessageValue`,
    },
  };
}

type Field = { readonly name: string; readonly type: unknown; readonly default?: null };

function requiredField({ name, shape }: ColumnWriter, declared: Set<string>): Field {
  return { name: avroName(name), type: avroTypeOf(shape, declared) };
}

function optional(name: string, type: unknown): Field {
  return { name: avroName(name), type: ['null', type], default: null };
}

const AVRO_TYPES: Readonly<Record<WireShape['type'], string>> = {
  boolean: 'boolean',
  int16: 'int',
  int32: 'int',
  int64: 'long',
  float: 'float',
  double: 'double',
  string: 'string',
  bytes: 'bytes',
  array: 'array',
  map: 'map',
  struct: 'bytes',
  unknown: 'bytes',
};

/** Names that are not of `io.debezium.time`. */
const DATA_NAMES: ReadonlySet<string> = new Set(['Json', 'Uuid', 'Bits']);

function avroTypeOf(shape: WireShape, declared: Set<string>): unknown {
  const { name } = shape;
  if (shape.items !== null)
    return { type: 'array', items: ['null', avroTypeOf(shape.items, declared)] };
  if (name === 'Point') {
    // A record is declared where it is first used, and named from then on.
    const isDeclared = declared.has(POINT_NAME);
    declared.add(POINT_NAME);
    return isDeclared ? POINT_NAME : POINT;
  }
  const type = AVRO_TYPES[shape.type];
  if (name === '') return type;
  const full = `io.debezium.${DATA_NAMES.has(name) ? 'data' : 'time'}.${name}`;
  return { type, 'connect.version': 1, 'connect.name': full };
}

const POINT_NAME = 'io.debezium.data.geometry.Point';
const POINT = {
  type: 'record',
  name: POINT_NAME,
  fields: [
    { name: 'x', type: 'double' },
    { name: 'y', type: 'double' },
    optional('wkb', 'bytes'),
    optional('srid', 'int'),
  ],
  'connect.version': 1,
  'connect.name': POINT_NAME,
};

const SOURCE = {
  type: 'record',
  name: 'Source',
  namespace: 'io.debezium.connector.postgresql',
  fields: [
    { name: 'version', type: 'string' },
    { name: 'connector', type: 'string' },
    { name: 'name', type: 'string' },
    { name: 'ts_ms', type: 'long' },
    { name: 'snapshot', type: ['string', 'null'], default: 'false' },
    { name: 'db', type: 'string' },
    optional('sequence', 'string'),
    optional('ts_us', 'long'),
    optional('ts_ns', 'long'),
    { name: 'schema', type: 'string' },
    { name: 'table', type: 'string' },
    optional('txId', 'long'),
    optional('lsn', 'long'),
    optional('xmin', 'long'),
    optional('origin', 'string'),
    optional('origin_lsn', 'long'),
  ],
  'connect.version': 1,
  'connect.name': 'io.debezium.connector.postgresql.Source',
};

const BLOCK = {
  type: 'record',
  name: 'block',
  namespace: 'event',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total_order', type: 'long' },
    { name: 'data_collection_order', type: 'long' },
  ],
  'connect.version': 1,
  'connect.name': 'event.block',
};

const ENVELOPE_END: readonly Field[] = [
  optional('transaction', BLOCK),
  { name: 'op', type: 'string' },
  optional('ts_ms', 'long'),
  optional('ts_us', 'long'),
  optional('ts_ns', 'long'),
];
