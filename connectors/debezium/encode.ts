import type { ChangeEvent } from '../../core/change-event.ts';
import { TandemError } from '../../core/errors.ts';
import type { EncodedMessage } from '../../core/log-message.ts';
import type { Cell, MirrorTable } from '../../core/mirror-table.ts';
import type { Lsn } from '../../core/version.ts';
import { messageTopic, tableTopic } from '../../core/topic-name.ts';
import { avroName, avroType, HEADER_BYTES } from './avro.ts';
import { messageSchemas, tableSchemas, type TableSchemas } from './avro-schema.ts';
import { ColumnWriter, type BytesForm } from './column-writer.ts';
import { jsonKey, jsonOf } from './encode-json.ts';
import { EXACT_HEADER, NEW_KEY_HEADER, OLD_KEY_HEADER } from './message.ts';
import type { SchemaRegistry } from './schema-registry.ts';

type EncoderOptions = {
  readonly prefix: string;
  /** Name of the source's database. */
  readonly database: string;
  /** Null: JSON without schemas. */
  readonly registry: SchemaRegistry | null;
};

/** What the messages of a change say beside the change itself. */
type EncodeContext = {
  /** The transaction's id on the source; null where there is none. */
  readonly txId: number | null;
  /** Now, milliseconds since the epoch. */
  readonly sentAtMs: number;
};

/** A logical message of the source's WAL. */
type LogicalContent = {
  readonly prefix: string;
  readonly content: Buffer;
  /** The end of the commit before it, or its own place. */
  readonly commitLsn: Lsn;
  readonly lsn: Lsn;
};

type Fields = Readonly<Record<string, unknown>>;
type Format = { key(fields: Fields): Buffer; value(envelope: Fields): Buffer };

/**
 * Writes changes as Debezium 3.7 does under `EXACT_MODES`: the same topics, keys and envelopes, so
 * that its readers are served. `source.sequence` begins with the transaction's own commit, which
 * orders as Debezium's end of the commit before does.
 */
export class DebeziumEncoder {
  readonly #options: EncoderOptions;
  readonly #tables = new Map<MirrorTable, TableEncoder>();
  #messages: Format | null = null;

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  /**
   * Gets ready for these tables, as they are now: with Avro their schemas are registered. A table
   * that has changed is a new one.
   *
   * @throws TandemError `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED`
   */
  async prepare(tables: readonly MirrorTable[]): Promise<void> {
    const { registry, prefix } = this.#options;
    this.#messages ??= await formatFor(registry, messageTopic(prefix), messageSchemas);
    for (const table of tables) {
      if (this.#tables.has(table)) continue;
      const topic = tableTopic(prefix, table);
      const writers = table.columns.map(
        (column) => new ColumnWriter(column, registry === null ? inBase64 : asTheyAre),
      );
      const format = await formatFor(registry, topic, () => tableSchemas(topic, table, writers));
      this.#tables.set(table, new TableEncoder(table, topic, writers, format, this.#options));
    }
  }

  /**
   * The messages of one change, in their order: a delete is followed by its tombstone, and a key
   * change is a delete, a tombstone and a create.
   */
  encode(event: ChangeEvent, context: EncodeContext): EncodedMessage[] {
    const table = this.#tables.get(event.table);
    if (table === undefined) {
      const what = 'a change of a table that the encoder was not prepared for';
      throw new TandemError('PROTOCOL_VIOLATION', { table: event.table.name, what });
    }
    return table.encode(event, context);
  }

  encodeMessage(message: LogicalContent, context: EncodeContext): EncodedMessage {
    const { prefix, content, commitLsn, lsn } = message;
    if (this.#messages === null)
      throw new TandemError('PROTOCOL_VIOLATION', { what: 'unprepared' });
    const { sentAtMs } = context;
    const bytes = this.#options.registry === null ? inBase64(content) : content;
    return {
      topic: messageTopic(this.#options.prefix),
      key: this.#messages.key({ prefix }),
      value: this.#messages.value({
        op: 'm',
        ts_ms: sentAtMs,
        source: sourceOf(this.#options, null, { commitLsn, lsn, ...context }, sentAtMs * 1000),
        transaction: null,
        message: { prefix, content: bytes },
      }),
      headers: {},
    };
  }
}

const inBase64: BytesForm = (bytes) => bytes.toString('base64');
const asTheyAre: BytesForm = (bytes) => bytes;

type Place = { readonly commitLsn: Lsn; readonly lsn: Lsn; readonly txId: number | null };

function sourceOf(
  { prefix, database }: EncoderOptions,
  table: MirrorTable | null,
  { commitLsn, lsn, txId }: Place,
  committedMicros: number | null,
): Fields {
  return {
    version: 'tandem',
    connector: 'postgresql',
    name: prefix,
    ts_ms: committedMicros === null ? 0 : Math.floor(committedMicros / 1000),
    snapshot: 'false',
    db: database,
    sequence: `["${commitLsn}","${lsn}"]`,
    ts_us: committedMicros,
    ts_ns: committedMicros === null ? null : BigInt(committedMicros) * 1000n,
    schema: table?.schema ?? '',
    table: table?.relation ?? '',
    txId,
    lsn: lsn <= MAX_SAFE ? Number(lsn) : lsn,
    xmin: null,
    origin: null,
    origin_lsn: null,
  };
}
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

class TableEncoder {
  readonly #table: MirrorTable;
  readonly #topic: string;
  readonly #writers: readonly ColumnWriter[];
  readonly #format: Format;
  readonly #options: EncoderOptions;
  /** Of the columns, as the format has them. */
  readonly #names: readonly string[];
  #committedAt: string | null = null;
  #committedMicros: number | null = null;

  constructor(
    table: MirrorTable,
    topic: string,
    writers: readonly ColumnWriter[],
    format: Format,
    options: EncoderOptions,
  ) {
    this.#table = table;
    this.#topic = topic;
    this.#writers = writers;
    this.#format = format;
    this.#options = options;
    const isAvro = options.registry !== null;
    this.#names = writers.map(({ name }) => (isAvro ? avroName(name) : name));
  }

  encode(event: ChangeEvent, context: EncodeContext): EncodedMessage[] {
    switch (event.kind) {
      case 'create':
      case 'read':
        return [this.#written(event.kind === 'read' ? 'r' : 'c', event, event.row, context, {})];
      case 'update': {
        const { oldKey, row } = event;
        if (oldKey === null) return [this.#written('u', event, row, context, {})];
        const created = { [OLD_KEY_HEADER]: this.#headerKey(oldKey) };
        return [
          ...this.#deleted(event, oldKey, context, { [NEW_KEY_HEADER]: this.#headerKey(row) }),
          this.#written('c', event, row, context, created),
        ];
      }
      case 'delete':
        return this.#deleted(event, event.key, context, {});
      case 'truncate': {
        const value = this.#envelope('t', event, context, { before: null, after: null });
        return [{ topic: this.#topic, key: null, value, headers: {} }];
      }
    }
  }

  #written(
    op: string,
    event: ChangeEvent,
    row: readonly Cell[],
    context: EncodeContext,
    headers: Readonly<Record<string, string>>,
  ): EncodedMessage {
    const { fields, beside } = this.#fields(row, this.#writers.length);
    const value = this.#envelope(op, event, context, { before: null, after: fields });
    return { topic: this.#topic, key: this.#key(row), value, headers: { ...headers, ...beside } };
  }

  /** Of the row that is gone only the key is told, as with the default replica identity. */
  #deleted(
    event: ChangeEvent,
    cells: readonly Cell[],
    context: EncodeContext,
    headers: Readonly<Record<string, string>>,
  ): EncodedMessage[] {
    const { fields, beside } = this.#fields(cells, this.#table.keyLength);
    const key = this.#key(cells);
    const value = this.#envelope('d', event, context, { before: fields, after: null });
    const topic = this.#topic;
    return [
      { topic, key, value, headers: { ...headers, ...beside } },
      { topic, key, value: null, headers },
    ];
  }

  /** The first `count` columns; those behind are null. */
  #fields(
    cells: readonly Cell[],
    count: number,
  ): { readonly fields: Fields; readonly beside: Readonly<Record<string, string>> } {
    const fields: Record<string, unknown> = {};
    let exact: Record<string, string | null | false> | null = null;
    for (let i = 0; i < this.#writers.length; i++) {
      const writer = this.#writers[i] as ColumnWriter;
      if (i >= count) {
        fields[this.#names[i] ?? ''] = null;
        continue;
      }
      const written = writer.write(cells[i]);
      fields[this.#names[i] ?? ''] = written.value;
      if (written.exact !== undefined) (exact ??= {})[writer.name] = written.exact;
    }
    return { fields, beside: exact === null ? {} : { [EXACT_HEADER]: JSON.stringify(exact) } };
  }

  #envelope(
    op: string,
    event: ChangeEvent,
    { txId, sentAtMs }: EncodeContext,
    images: Fields,
  ): Buffer {
    const { commitLsn, changeLsn: lsn } = event.version;
    const committed = this.#microsOf(event.committedAt);
    return this.#format.value({
      ...images,
      source: sourceOf(this.#options, this.#table, { commitLsn, lsn, txId }, committed),
      transaction: null,
      op,
      ts_ms: sentAtMs,
      ts_us: sentAtMs * 1000,
      ts_ns: BigInt(sentAtMs) * 1_000_000n,
    });
  }

  #key(cells: readonly Cell[]): Buffer | null {
    if (this.#table.keyLength === 0) return null;
    const isAvro = this.#options.registry !== null;
    return this.#format.key(Object.fromEntries(this.#keyFields(cells, isAvro)));
  }

  #headerKey(cells: readonly Cell[]): string {
    return jsonKey(this.#keyFields(cells, false));
  }

  #keyFields(cells: readonly Cell[], isAvro: boolean): [string, unknown][] {
    return this.#writers
      .slice(0, this.#table.keyLength)
      .map((writer, i) => [
        isAvro ? avroName(writer.name) : writer.name,
        writer.keyValue(cells[i]),
      ]);
  }

  #microsOf(committedAt: string | null): number | null {
    if (committedAt !== this.#committedAt) {
      this.#committedMicros = committedAt === null ? null : microsOf(committedAt);
      this.#committedAt = committedAt;
    }
    return this.#committedMicros;
  }
}

/** Microseconds since the epoch of `2025-01-02 03:04:05.678901+00`. */
function microsOf(text: string): number {
  const seconds = Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`);
  const fraction = text.charAt(19) === '.' ? text.slice(20, text.length - 3) : '';
  return seconds * 1000 + Number(fraction.padEnd(6, '0'));
}

async function formatFor(
  registry: SchemaRegistry | null,
  topic: string,
  schemas: () => TableSchemas,
): Promise<Format> {
  if (registry === null) return JSON_FORMAT;
  const { key, value } = schemas();
  const keyId = await registry.register(`${topic}-key`, key);
  const valueId = await registry.register(`${topic}-value`, value);
  const keyType = avroType(key);
  const valueType = avroType(value);
  return {
    key: (fields) => framed(keyId, keyType.toBuffer(fields)),
    value: (envelope) => framed(valueId, valueType.toBuffer(envelope)),
  };
}

const JSON_FORMAT: Format = {
  key: (fields) => Buffer.from(jsonKey(Object.entries(fields))),
  value: (envelope) => Buffer.from(jsonOf(envelope)),
};

function framed(id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, body]);
}
