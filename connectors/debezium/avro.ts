import avro from 'avsc';
import type { Envelope } from './envelope.ts';
import { WrongForm } from './value.ts';
import { lastPart, plain, type WireShape } from './wire-shape.ts';

/** The first byte of a message in Confluent's wire format; four of the schema's id follow. */
const MAGIC = 0;
export const HEADER_BYTES = 5;

export function isAvro(bytes: Buffer): boolean {
  return bytes.length >= HEADER_BYTES && bytes[0] === MAGIC;
}

export function schemaId(bytes: Buffer): number {
  return bytes.readUInt32BE(1);
}

/** Longs as numbers where a double is exact, else as `bigint`. */
const EXACT_LONG = avro.types.LongType.__with({
  fromBuffer(buffer: Buffer): number | bigint {
    const high = buffer.readInt32LE(4);
    if (high >= -0x20_0000 && high < 0x20_0000) {
      const value = high * 0x1_0000_0000 + buffer.readUInt32LE(0);
      if (Number.isSafeInteger(value)) return value;
    }
    return buffer.readBigInt64LE(0);
  },
  toBuffer(value: number | bigint): Buffer {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(BigInt(value));
    return buffer;
  },
  fromJSON: Number,
  toJSON: String,
  isValid: (value: unknown): boolean =>
    typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)),
  compare: (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0),
});

/** A schema with its types compiled. */
export function avroType(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, {
    wrapUnions: 'never',
    registry: { long: EXACT_LONG },
    // One with attributes (`connect.name`) is not looked up in the registry.
    typeHook: (node: unknown) => (isLong(node) ? EXACT_LONG : undefined),
  });
}

function isLong(node: unknown): boolean {
  return node !== null && typeof node === 'object' && 'type' in node && node.type === 'long';
}

/** A row's record, and what else of an envelope counts; all else is stepped over. */
const WANTED: ReadonlySet<string> = new Set(['before', 'after', 'source', 'op', 'message']);
const WANTED_SOURCE: ReadonlySet<string> = new Set(['sequence', 'ts_us', 'ts_ms']);

type AvroField = { readonly name: string; readonly type: unknown };
type AvroRecord = { readonly type: 'record'; readonly fields: readonly AvroField[] };

/** Reads messages that were written with one schema. */
export class AvroReader {
  /** Shapes of the row's columns, by the names that the schema gives them. */
  readonly columns: ReadonlyMap<string, WireShape>;
  readonly #reader: avro.Type;
  readonly #resolver: unknown;

  /** @param wanted whether a column, by the schema's name for it, is needed */
  constructor(schema: unknown, wanted: (column: string) => boolean) {
    const row = rowRecord(schema);
    this.columns = new Map((row?.fields ?? []).map(({ name, type }) => [name, shapeOfAvro(type)]));
    const writer = avroType(schema);
    this.#reader = avroType(narrowed(schema, row, wanted));
    this.#resolver = this.#reader.createResolver(writer);
  }

  /** @throws WrongForm where the bytes are not of the schema */
  read(bytes: Buffer): Envelope {
    try {
      return this.#reader.fromBuffer(
        bytes.subarray(HEADER_BYTES),
        this.#resolver as undefined,
      ) as Envelope;
    } catch {
      throw new WrongForm('Avro of its schema', bytes);
    }
  }
}

function isRecord(schema: unknown): schema is AvroRecord {
  return (
    schema !== null &&
    typeof schema === 'object' &&
    'fields' in schema &&
    Array.isArray(schema.fields)
  );
}

function fieldType(schema: unknown, name: string): unknown {
  if (!isRecord(schema)) return undefined;
  return schema.fields.find((field) => field.name === name)?.type;
}

/** The record of a row; it stands at the first place that names it, which is `before`. */
function rowRecord(schema: unknown): AvroRecord | null {
  for (const name of ['before', 'after']) {
    const type = fieldType(schema, name);
    const found = (Array.isArray(type) ? (type as unknown[]) : [type]).find(isRecord);
    if (found !== undefined) return found;
  }
  return null;
}

/** The same schema without the fields that nobody needs. */
function narrowed(
  schema: unknown,
  row: AvroRecord | null,
  wanted: (column: string) => boolean,
): unknown {
  const source = fieldType(schema, 'source');
  function narrow(node: unknown): unknown {
    if (Array.isArray(node)) return node.map(narrow);
    if (node === null || typeof node !== 'object') return node;
    if (!isRecord(node)) return node;
    const keep =
      node === schema
        ? (name: string) => WANTED.has(name)
        : node === row
          ? wanted
          : node === source
            ? (name: string) => WANTED_SOURCE.has(name)
            : () => true;
    const fields = node.fields
      .filter(({ name }) => keep(name))
      .map((field) => ({ ...field, type: narrow(field.type) }));
    return { ...node, fields };
  }
  return narrow(schema);
}

type AvroNode = {
  readonly type?: unknown;
  readonly items?: unknown;
  readonly scale?: unknown;
  readonly 'connect.name'?: unknown;
  readonly 'connect.type'?: unknown;
  readonly 'connect.parameters'?: { readonly scale?: unknown };
};

const AVRO_TYPES: ReadonlyMap<unknown, WireShape['type']> = new Map<unknown, WireShape['type']>([
  ...(['boolean', 'float', 'double', 'string', 'bytes', 'array', 'map'] as const).map(
    (type) => [type, type] as const,
  ),
  ['int', 'int32'],
  ['long', 'int64'],
  ['record', 'struct'],
]);

/** In Kafka Connect's words, from what its Avro converters note beside the type. */
function shapeOfAvro(schema: unknown): WireShape {
  if (Array.isArray(schema)) {
    return shapeOfAvro((schema as unknown[]).find((branch) => branch !== 'null'));
  }
  if (typeof schema === 'string') return plain(AVRO_TYPES.get(schema) ?? 'unknown');
  if (schema === null || typeof schema !== 'object') return plain('unknown');
  const node = schema as AvroNode;
  if (typeof node.type === 'object') return shapeOfAvro(node.type);
  const scale = node['connect.parameters']?.scale ?? node.scale;
  return {
    type: AVRO_TYPES.get(node.type) ?? 'unknown',
    name: lastPart(node['connect.name']),
    scale: scale === undefined ? null : Number(scale),
    items: node.items === undefined ? null : shapeOfAvro(node.items),
  };
}

/** A name as Avro takes it: others are written with underscores, as Debezium does. */
export function avroName(name: string): string {
  const replaced = name.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(replaced) ? `_${replaced}` : replaced;
}
