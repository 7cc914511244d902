import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import type { ErrorCode } from '../../core/errors.ts';
import type { RawMessage } from '../../core/log-message.ts';
import { kafkaError } from './kafka-error.ts';
import { partitionName } from './log-position.ts';
import { scanTopic } from './scan-topic.ts';

/** A message that could not be read, and why. `reason` holds no value. */
export type DeadLetter = {
  readonly message: RawMessage;
  readonly table: string | null;
  /** Those that read the table. */
  readonly entities: readonly string[];
  readonly code: ErrorCode;
  readonly reason: string;
};

export interface DeadLetterBox {
  /** Returns when they are kept. The same one may come again: then it is there twice. */
  keep(letters: readonly DeadLetter[]): Promise<void>;
}

/** Where a message was at first. */
type Origin = Pick<RawMessage, 'topic' | 'partition' | 'offset'>;

/** Far below the default of `max.message.bytes`, which limits all that is sent together. */
const SEND_BYTES = 500_000;
const PREFIX = 'tandem.';

/**
 * The topic of messages that could not be read: key, value and headers as they were, and in headers
 * of ours where each was and what was wrong with it.
 */
export class DeadLetters implements DeadLetterBox {
  readonly #kafka: Kafka;
  readonly #topic: string;
  #producer: Producer | null = null;

  constructor(kafka: Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  async keep(letters: readonly DeadLetter[]): Promise<void> {
    try {
      const producer = await this.#connected();
      for (const part of inParts(letters)) {
        await producer.send({
          topic: this.#topic,
          acks: -1,
          compression: kafkajs.CompressionTypes.LZ4,
          messages: part.map(toMessage),
        });
      }
    } catch (error) {
      throw kafkaError(error, 'keep unreadable messages', { topic: this.#topic });
    }
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect();
    this.#producer = null;
  }

  async #connected(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer;
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    this.#producer = producer;
    return producer;
  }
}

function* inParts(letters: readonly DeadLetter[]): Generator<readonly DeadLetter[]> {
  let part: DeadLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const { key, value } = letter.message;
    const size = (key?.length ?? 0) + (value?.length ?? 0);
    if (part.length > 0 && bytes + size > SEND_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(letter);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function toMessage({ message, table, entities, code, reason }: DeadLetter) {
  const { key, value, headers, topic, partition, offset, timestampMs } = message;
  return {
    key,
    value,
    headers: {
      ...headers,
      [`${PREFIX}code`]: code,
      [`${PREFIX}reason`]: reason,
      [`${PREFIX}topic`]: topic,
      [`${PREFIX}partition`]: String(partition),
      [`${PREFIX}offset`]: String(offset),
      [`${PREFIX}timestamp`]: String(timestampMs),
      ...(table === null ? {} : { [`${PREFIX}table`]: table }),
      ...(entities.length === 0 ? {} : { [`${PREFIX}entities`]: entities.join(',') }),
    },
  };
}

/**
 * Messages that were kept, as they came at first, by `topic/partition/offset`. One that is not in
 * the topic any more is not in the answer.
 */
export async function readDeadLetters(
  kafka: Kafka,
  topic: string,
  wanted: readonly Origin[],
): Promise<ReadonlyMap<string, RawMessage>> {
  const names = new Set(wanted.map(originName));
  const found = new Map<string, RawMessage>();
  if (names.size === 0) return found;
  await scanTopic(kafka, topic, (message) => {
    const raw = fromMessage(message);
    const name = raw === null ? null : originName(raw);
    if (raw !== null && name !== null && names.has(name)) found.set(name, raw);
  });
  return found;
}

export function originName({ topic, partition, offset }: Origin): string {
  return `${partitionName(topic, partition)}/${offset}`;
}

/** Null: not one of ours. */
function fromMessage({ key, value, headers }: RawMessage): RawMessage | null {
  const ours = (name: string) => headers[`${PREFIX}${name}`]?.toString();
  const [topic, partition, offset] = [ours('topic'), ours('partition'), ours('offset')];
  if (topic === undefined || partition === undefined || offset === undefined) return null;
  const theirs = Object.entries(headers).filter(([name]) => !name.startsWith(PREFIX));
  return {
    topic,
    partition: Number(partition),
    offset: BigInt(offset),
    timestampMs: Number(ours('timestamp') ?? 0),
    key,
    value,
    headers: Object.fromEntries(theirs),
  };
}
