import kafkajs, {
  type Admin,
  type Kafka,
  type KafkaConfig,
  type Message,
  type Producer,
} from 'kafkajs';
import { DeadLetters } from '../../connectors/kafka/dead-letters.ts';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import type { GroupTiming } from '../../connectors/kafka/group-reader.ts';
import { KafkaSource } from '../../connectors/kafka/kafka-source.ts';
import type { LogPositions } from '../../connectors/kafka/log-position.ts';
import { ensureTopics } from '../../connectors/kafka/topics.ts';
import { MAX_MESSAGE_BYTES } from '../../connectors/kafka/wanted-topics.ts';
import type { Decoded, MessageDecoder, RawMessage } from '../../core/log-message.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Observer } from '../../core/ports.ts';
import { deadLetterTopic, messageTopic, tableTopic } from '../../core/topic-name.ts';
import type { Lsn } from '../../core/version.ts';
import { freshPrefix, kafkaClient } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';

export const NOTE: MirrorTable = {
  name: 'note',
  schema: 'public',
  relation: 'note',
  columns: [{ name: 'id', type: 'bigint', sourceType: 'bigint', inKey: true }],
  keyLength: 1,
};

/** Noticed within a second, for tests that lose members and topics. */
export const HASTY: GroupTiming = {
  sessionTimeoutMs: 6_000,
  heartbeatMs: 200,
  rebalanceTimeoutMs: 10_000,
  metadataMaxAgeMs: 1_000,
};

/** What a topic of a test holds: an id, and where its change stands in the source. */
export type Note = { readonly id: number; readonly at: number };

/** The numbers of a note, and nothing else: the formats of the real thing have tests of their own. */
export class NoteDecoder implements MessageDecoder {
  prepared = 0;

  async prepare(messages: readonly RawMessage[]): Promise<void> {
    this.prepared += messages.length;
  }

  decode({ topic, value }: RawMessage): Decoded {
    if (value === null) return { kind: 'nothing' };
    if (topic.endsWith('.message')) return { kind: 'heartbeat', sentAtMs: Number(value) };
    const [id, at] = value.toString().split(' ').map(Number);
    if (id === undefined || at === undefined || Number.isNaN(id + at)) {
      return { kind: 'unreadable', code: 'PROTOCOL_VIOLATION', message: 'not a note' };
    }
    const version = { commitLsn: BigInt(at) as Lsn, changeLsn: 0n as Lsn };
    const event = { table: NOTE, version, committedAt: null, row: [String(id)], oldKey: null };
    return { kind: 'change', event: { ...event, kind: 'create' } };
  }
}

export const SILENT: Observer = {
  event: () => undefined,
  progress: () => undefined,
  batch: () => undefined,
};

/** Topics of one test, with somebody who fills them. */
export class TestLog implements AsyncDisposable {
  readonly prefix = freshPrefix();
  readonly topic = tableTopic(this.prefix, NOTE);
  readonly messages = messageTopic(this.prefix);
  readonly deadLetters = deadLetterTopic(this.prefix);
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly #producer: Producer;
  readonly #bootstrap: string;

  private constructor(bootstrap: string) {
    registerCodecs();
    this.#bootstrap = bootstrap;
    this.kafka = kafkaClient(bootstrap);
    this.admin = this.kafka.admin();
    this.#producer = this.kafka.producer({
      idempotent: true, // a repeat after a lost answer is not there twice
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
  }

  static async open(bootstrap: string, partitions = 3): Promise<TestLog> {
    const log = new TestLog(bootstrap);
    await log.admin.connect();
    await log.#producer.connect();
    await log.create(partitions);
    return log;
  }

  async create(partitions: number): Promise<void> {
    const plain = {
      replication: -1,
      retentionMs: null,
      compact: false,
      maxMessageBytes: MAX_MESSAGE_BYTES,
    };
    const topics = [
      { ...plain, name: this.topic, partitions },
      { ...plain, name: this.messages, partitions: 1 },
      { ...plain, name: this.deadLetters, partitions: 1 },
    ];
    await ensureTopics(this.kafka, topics, SILENT);
  }

  /** A client as the source has it: attempts end soon. */
  client(options: Partial<KafkaConfig> = {}): Kafka {
    const retry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 };
    return kafkaClient(this.#bootstrap, { retry, ...options });
  }

  /** Notes spread over the partitions by their ids. */
  async write(notes: readonly Note[], options: Partial<Message> = {}): Promise<void> {
    const messages = notes.map(({ id, at }) => ({
      key: String(id),
      value: `${id} ${at}`,
      ...options,
    }));
    // A send is one batch of a partition, which has a limit.
    for (let i = 0; i < messages.length; i += 500) {
      await this.#producer.send({ topic: this.topic, messages: messages.slice(i, i + 500) });
    }
  }

  /** To partitions that this producer need not know of yet. */
  async addTo(partitions: readonly number[], added: readonly Note[]): Promise<void> {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const messages = added.map(({ id, at }, i) => ({
      value: `${id} ${at}`,
      partition: partitions[i % partitions.length] ?? 0,
    }));
    await producer.send({ topic: this.topic, messages });
    await producer.disconnect();
  }

  async send(topic: string, messages: Message[]): Promise<void> {
    await this.#producer.send({ topic, messages });
  }

  source(positions: LogPositions, more: SourceOptions = {}): KafkaSource {
    const kafka = more.kafka ?? this.client();
    return new KafkaSource({
      kafka,
      groupId: more.groupId ?? `${this.prefix}-group`,
      tables: new Map([[this.topic, NOTE]]),
      messageTopic: this.messages,
      decoder: more.decoder ?? new NoteDecoder(),
      positions,
      deadLetters: more.deadLetters ?? new DeadLetters(this.kafka, this.deadLetters),
      heldUntil: BigInt(more.heldUntil ?? 0) as Lsn,
      ...(more.joinsAt === undefined
        ? {}
        : { joinsAt: new Map([[NOTE.name, BigInt(more.joinsAt) as Lsn]]) }),
      observer: more.observer ?? SILENT,
      timing: HASTY,
    });
  }

  async deleteTopic(): Promise<void> {
    await this.admin.deleteTopics({ topics: [this.topic] });
    await waitFor(async () => !(await this.admin.listTopics()).includes(this.topic), {
      what: 'the topic to go',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
    await this.admin.disconnect();
  }
}

export type SourceOptions = {
  readonly kafka?: Kafka;
  readonly groupId?: string;
  readonly decoder?: MessageDecoder;
  readonly deadLetters?: DeadLetters;
  readonly heldUntil?: number;
  readonly joinsAt?: number;
  readonly observer?: Observer;
};

/** Notes with ids from `first` on; `at` rises with them. */
export function notes(first: number, count: number): Note[] {
  return Array.from({ length: count }, (_, i) => ({ id: first + i, at: first + i }));
}
