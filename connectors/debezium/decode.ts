import { TandemError, type ErrorCode } from '../../core/errors.ts';
import { heartbeatOf } from '../../core/heartbeat-message.ts';
import type { Decoded, MessageDecoder, RawMessage } from '../../core/log-message.ts';
import type { Cell, MirrorTable } from '../../core/mirror-table.ts';
import { messageTopic, tableTopics } from '../../core/topic-name.ts';
import type { Lsn, Version } from '../../core/version.ts';
import { isAvro, schemaId } from './avro.ts';
import { fieldsOf, PlaceReader, type SourcePlace } from './envelope.ts';
import { parseObject } from './json-envelope.ts';
import { EXACT_HEADER, headerText, OLD_KEY_HEADER } from './message.ts';
import { Unreadable, type ExactValues, type RowReader } from './row-reader.ts';
import type { SchemaRegistry } from './schema-registry.ts';
import { TopicForms, type Parsed } from './topic-forms.ts';
import { WrongForm } from './value.ts';
import type { ValueModes } from './value-modes.ts';

export type DecoderOptions = {
  readonly tables: readonly MirrorTable[];
  readonly prefix: string;
  /** For messages without a schema. */
  readonly modes: ValueModes;
  /** Null: no message may be in Avro. */
  readonly registry: SchemaRegistry | null;
  /** Stands for the end of the last commit where a connector has not seen one yet. */
  readonly startedAt: Lsn;
  /** Whether rows may be read from the source: else a value that is missing makes a message unreadable. */
  readonly reread: boolean;
};

const NOTHING: Decoded = { kind: 'nothing' };

/**
 * Turns Debezium's messages into changes. Messages in JSON, with schemas or without, and in Avro may
 * follow each other in a topic: the bytes say which.
 */
export class DebeziumDecoder implements MessageDecoder {
  readonly #options: DecoderOptions;
  readonly #topics: ReadonlyMap<string, TopicForms>;
  readonly #messageTopic: string;
  readonly #messages: TopicForms;
  readonly #places = new PlaceReader();
  #committedMicros = NaN;
  #committedAt = '';

  /** @throws TandemError `TOPIC_NAME` where two tables would share a topic */
  constructor(options: DecoderOptions) {
    const { tables, prefix } = options;
    this.#options = options;
    this.#topics = new Map(
      Array.from(tableTopics(prefix, tables), ([topic, table]) => [
        topic,
        new TopicForms(table, options),
      ]),
    );
    this.#messageTopic = messageTopic(prefix);
    this.#messages = new TopicForms(null, options);
  }

  /**
   * Fetches the schemas that these messages need and that are not known yet: then `decode` asks
   * nobody.
   *
   * @throws TandemError `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED`; `CONFIG_INVALID` for a message in
   *   Avro without a registry
   */
  async prepare(messages: readonly RawMessage[]): Promise<void> {
    const wanted = new Set<number>();
    for (const { topic, key, value } of messages) {
      const bytes = value ?? key;
      if (bytes === null || bytes[0] !== 0 || !isAvro(bytes)) continue;
      if (topic !== this.#messageTopic && !this.#topics.has(topic)) continue;
      if (this.#options.registry === null) {
        if (value === null) continue; // most of them say nothing that needs to be read
        const what = 'the messages are in Avro, so SCHEMA_REGISTRY_URL is needed';
        throw new TandemError('CONFIG_INVALID', { setting: 'SCHEMA_REGISTRY_URL', topic, what });
      }
      wanted.add(schemaId(bytes));
    }
    for (const id of wanted) await this.#options.registry?.fetch(id);
  }

  /** @throws TandemError `PROTOCOL_VIOLATION` for a message that `prepare` was not given */
  decode(message: RawMessage): Decoded {
    const { topic, key, value } = message;
    const forms = this.#topics.get(topic);
    try {
      if (value === null) return key === null ? NOTHING : tombstone(key, forms);
      if (forms !== undefined) return this.#change(message, value, forms);
      return topic === this.#messageTopic ? this.#logicalMessage(value) : NOTHING;
    } catch (error) {
      const table = forms?.table?.name;
      const where = table === undefined ? '' : `table ${table}: `;
      if (error instanceof Unreadable) {
        return { kind: 'unreadable', code: error.code, message: where + error.message };
      }
      if (error instanceof WrongForm) {
        const code: ErrorCode = 'MESSAGE_UNREADABLE';
        return { kind: 'unreadable', code, message: where + error.message };
      }
      throw error;
    }
  }

  /**
   * Where the snapshot was taken that this is a row of, if it is the one that a connector begins
   * with; else null.
   *
   * @throws TandemError as `decode`
   */
  snapshotAt({ topic, value }: RawMessage): Lsn | null {
    const forms = this.#topics.get(topic);
    if (value === null || forms === undefined) return null;
    try {
      const { op, source } = forms.parse(value, 'fast').envelope;
      if (op !== 'r') return null;
      const { before, lsn } = this.#places.read(source);
      return before === null ? lsn : null;
    } catch (error) {
      if (error instanceof WrongForm || error instanceof Unreadable) return null;
      throw error;
    }
  }

  #change(message: RawMessage, value: Buffer, forms: TopicForms): Decoded {
    const parsed = forms.parse(value, 'fast');
    const { op } = parsed.envelope;
    const place = this.#places.read(parsed.envelope.source);
    const version: Version =
      op === 'r'
        ? { commitLsn: place.before ?? place.lsn, changeLsn: 0n as Lsn }
        : { commitLsn: this.#commitLsn(place), changeLsn: place.lsn };
    const committedAt = op === 'r' ? null : this.#timeOf(place);
    const table = parsed.table;
    switch (op) {
      case 'c':
      case 'u':
      case 'r':
        return this.#written(message, value, forms, parsed, { table, version, committedAt });
      case 'd': {
        const exact = exactValues(message);
        const { rows, envelope } = parsed;
        let key = rows.key(fieldsOf(envelope.before, 'before'), exact);
        if (rows.isRounded) {
          const again = forms.parse(value, 'all');
          key = again.rows.key(fieldsOf(again.envelope.before, 'before'), exact);
        }
        return { kind: 'change', event: { kind: 'delete', table, version, committedAt, key } };
      }
      case 't':
        return { kind: 'change', event: { kind: 'truncate', table, version, committedAt } };
      default:
        throw new WrongForm("Debezium's envelope with an operation", op);
    }
  }

  #written(
    message: RawMessage,
    value: Buffer,
    forms: TopicForms,
    first: Parsed,
    stamp: Stamp,
  ): Decoded {
    const exact = exactValues(message);
    let parsed = first;
    let row = parsed.rows.row(fieldsOf(parsed.envelope.after, 'after'), exact);
    if (parsed.rows.isRounded) {
      parsed = forms.parse(value, 'all');
      row = parsed.rows.row(fieldsOf(parsed.envelope.after, 'after'), exact);
    }
    const { mustRead } = parsed.rows;
    const { op } = parsed.envelope;
    const oldKey = op === 'c' ? oldKeyOf(message, forms.keyReader) : null;
    const kind = op === 'r' ? 'read' : op === 'u' || oldKey !== null ? 'update' : 'create';
    const { table, version, committedAt } = stamp;
    const event = { kind, table, version, committedAt, row, oldKey } as const;
    return { kind: 'change', event: mustRead ? { ...event, mustRead } : event };
  }

  #commitLsn({ before, lsn }: SourcePlace): Lsn {
    if (before !== null) return before;
    const { startedAt } = this.#options;
    return startedAt > lsn ? startedAt : lsn;
  }

  /** The changes of a transaction, and often many more, share their time. */
  #timeOf({ committedAtMicros }: SourcePlace): string | null {
    if (committedAtMicros === null || !hasTextForm(committedAtMicros)) return null;
    if (committedAtMicros !== this.#committedMicros) {
      this.#committedAt = commitTimeText(committedAtMicros);
      this.#committedMicros = committedAtMicros;
    }
    return this.#committedAt;
  }

  #logicalMessage(value: Buffer): Decoded {
    const { envelope } = this.#messages.parseEnvelope(value, 'fast');
    const { prefix, content } = fieldsOf(envelope.message, 'a logical message');
    if (typeof prefix !== 'string') throw new WrongForm('a prefix', prefix);
    const heartbeat = heartbeatOf({ prefix, content: contentBytes(content, this.#options.modes) });
    return heartbeat === null ? NOTHING : { kind: 'heartbeat', sentAtMs: heartbeat.sentAtMs };
  }
}

function tombstone(key: Buffer, forms: TopicForms | undefined): Decoded {
  const table = forms?.table ?? null;
  if (forms === undefined || table === null) return NOTHING;
  return { kind: 'tombstone', table, key: forms.key(key) };
}

type Stamp = {
  readonly table: MirrorTable;
  readonly version: Version;
  readonly committedAt: string | null;
};

function contentBytes(content: unknown, { binary }: ValueModes): Buffer {
  if (Buffer.isBuffer(content)) return content;
  if (typeof content !== 'string') throw new WrongForm('the content of a message', content);
  return Buffer.from(content, binary === 'hex' ? 'hex' : 'base64');
}

function exactValues(message: RawMessage): ExactValues | null {
  if (message.headers[EXACT_HEADER] === undefined) return null;
  const text = headerText(message, EXACT_HEADER) ?? '';
  const values = parseObject(text, 'fast') as Record<string, unknown>;
  for (const [column, value] of Object.entries(values)) {
    if (value !== null && value !== false && typeof value !== 'string') {
      throw new Unreadable('MESSAGE_UNREADABLE', `header ${EXACT_HEADER}, column ${column}`);
    }
  }
  return values as ExactValues;
}

/**
 * The key before a key change, or null where there is none. A header that cannot be read is none: it
 * is written by another converter than the message, and the delete of that key comes by itself.
 */
function oldKeyOf(message: RawMessage, keys: RowReader): Cell[] | null {
  const text = headerText(message, OLD_KEY_HEADER);
  if (text === null) return null;
  try {
    const key = keys.key(parseObject(text, 'all'), null);
    return keys.isRounded ? null : key;
  } catch (error) {
    if (error instanceof WrongForm || error instanceof Unreadable) return null;
    throw error;
  }
}

/** The years 0 to 9999: no clock shows anything else. */
function hasTextForm(micros: number): boolean {
  return micros >= -62_167_219_200_000_000 && micros < 253_402_300_800_000_000;
}

/** `2025-01-02 03:04:05.678901+00`, always with six digits, as every path of capture has it. */
function commitTimeText(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const iso = new Date(millis).toISOString();
  const rest = String(micros - millis * 1000).padStart(3, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${rest}+00`;
}
