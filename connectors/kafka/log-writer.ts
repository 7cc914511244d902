import kafkajs, { type Admin, type Kafka, type Producer, type TopicMessages } from 'kafkajs';
import { TandemError } from '../../core/errors.ts';
import type { EncodedMessage } from '../../core/log-message.ts';
import type { Observer } from '../../core/ports.ts';
import { tellUnanswered } from './client.ts';
import type { Compression } from './compression.ts';
import { kafkaError } from './kafka-error.ts';
import { partitionOfKey } from './murmur2.ts';
import { bytesOf, packRounds, type Round } from './rounds.ts';
import { withAdmin } from './with-admin.ts';

const TYPES: Readonly<Record<Compression, number>> = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  snappy: kafkajs.CompressionTypes.Snappy,
  lz4: kafkajs.CompressionTypes.LZ4,
};

/** What refuses a record batch for its size. */
const TOO_LARGE = /MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/;

/**
 * Writes messages into topics, each partition in their order, acknowledged by all replicas.
 *
 * The producer is idempotent: what it sends again after a lost answer is there once. That holds for
 * one call and one producer. After a failure its sequence numbers are not those of the broker any
 * more (kafkajs takes back those of partitions that were written, too), so a writer that has failed
 * is closed, and another one begins.
 */
export class LogWriter {
  readonly #producer: Producer;
  readonly #compression: number;
  readonly #partitions: ReadonlyMap<string, number>;

  private constructor(
    producer: Producer,
    compression: Compression,
    partitions: ReadonlyMap<string, number>,
  ) {
    this.#producer = producer;
    this.#compression = TYPES[compression];
    this.#partitions = partitions;
  }

  /** @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`, `TOPIC_MISSING` */
  static async open(
    kafka: Kafka,
    {
      topics,
      compression,
      observer,
    }: {
      readonly topics: readonly string[];
      readonly compression: Compression;
      readonly observer?: Observer;
    },
  ): Promise<LogWriter> {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => givenPartition,
    });
    if (observer !== undefined) {
      producer.on(producer.events.REQUEST_TIMEOUT, (event) => tellUnanswered(event, observer));
    }
    try {
      const partitions = await withAdmin(kafka, { what: 'count partitions' }, (admin) =>
        countPartitions(admin, topics),
      );
      await producer.connect();
      return new LogWriter(producer, compression, partitions);
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw kafkaError(error, 'open the producer');
    }
  }

  /**
   * Returns when all of them are kept by all replicas.
   *
   * @returns their bytes before compression
   * @throws TandemError `MESSAGE_TOO_LARGE`, `TOPIC_MISSING`, `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`; some may be there
   */
  async write(messages: readonly EncodedMessage[]): Promise<number> {
    let bytes = 0;
    for (const round of packRounds(messages.map((message) => this.#placed(message)))) {
      await this.#send(round);
      bytes += round.bytes;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#producer.disconnect().catch(() => undefined);
  }

  #placed(message: EncodedMessage) {
    const { topic, key, value, headers } = message;
    const partitions = this.#partitions.get(topic);
    if (partitions === undefined) throw new TandemError('TOPIC_MISSING', { topics: topic });
    return { topic, key, value, headers, partition: partitionOfKey(key, partitions) };
  }

  async #send(round: Round): Promise<void> {
    try {
      await this.#producer.sendBatch({
        acks: -1,
        compression: this.#compression,
        topicMessages: byTopic(round),
      });
    } catch (error) {
      const failure = kafkaError(error, 'write');
      if (!TOO_LARGE.test(String(failure.details['reason']))) throw failure;
      throw new TandemError('MESSAGE_TOO_LARGE', largestOf(round), error);
    }
  }
}

const givenPartition = ({ message }: { readonly message: { readonly partition?: number } }) =>
  message.partition ?? 0;

async function countPartitions(
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const found = await admin.fetchTopicMetadata({ topics: [...topics] });
  return new Map(found.topics.map(({ name, partitions }) => [name, partitions.length]));
}

function byTopic({ messages }: Round): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const message of messages) {
    const { topic, key, value, headers, partition } = message;
    let found = topics.get(topic);
    if (found === undefined) {
      found = { topic, messages: [] };
      topics.set(topic, found);
    }
    found.messages.push({ key, value, headers, partition });
  }
  return [...topics.values()];
}

/** The broker does not say which one it was: a large one has its partition's part for itself. */
function largestOf({ messages }: Round) {
  let topic = '';
  let bytes = 0;
  for (const message of messages) {
    const size = bytesOf(message);
    if (size > bytes) ({ topic, bytes } = { topic: message.topic, bytes: size });
  }
  return { topic, bytes };
}
