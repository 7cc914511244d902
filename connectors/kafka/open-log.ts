import type { Admin } from 'kafkajs';
import { kafkaClient, type KafkaAccess } from './client.ts';
import { DeadLetters } from './dead-letters.ts';
import { kafkaError } from './kafka-error.ts';
import { KafkaSource, type KafkaSourceOptions } from './kafka-source.ts';
import { readClusterId, readLogEnds, requireTopics } from './log-ends.ts';
import { deadLetterTopic, messageTopic, tableTopics } from './topics.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';

export type LogOptions = Pick<
  KafkaSourceOptions,
  | 'groupId'
  | 'decoder'
  | 'positions'
  | 'heldUntil'
  | 'joinsAt'
  | 'sawHeartbeat'
  | 'observer'
  | 'timing'
> & {
  readonly access: KafkaAccess;
  readonly prefix: string;
  readonly tables: readonly MirrorTable[];
};

/** A stream's topics, opened: what a session of the stream needs of them. */
export type OpenLog = {
  readonly source: KafkaSource;
  readonly clusterId: string;
  /** By `topic/partition`, of all topics of the stream: the offset behind the last message. */
  readonly ends: () => Promise<ReadonlyMap<string, bigint>>;
  readonly close: () => Promise<void>;
};

/**
 * Connects to the cluster and sees that all topics of the stream are there. The group is joined by
 * the source, when its batches are asked for.
 *
 * @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`, `TLS_REFUSED`, `TOPIC_MISSING`,
 *   `TOPIC_NAME`
 */
export async function openLog(options: LogOptions): Promise<OpenLog> {
  const { access, prefix, tables, observer } = options;
  const byTopic = tableTopics(prefix, tables);
  const topics = [...byTopic.keys(), messageTopic(prefix)];
  const kafka = kafkaClient(access, observer);
  const admin = kafka.admin();
  try {
    await connected(admin);
    await requireTopics(admin, [...topics, deadLetterTopic(prefix)]);
    const clusterId = await readClusterId(admin);
    const deadLetters = new DeadLetters(kafka, deadLetterTopic(prefix));
    const source = new KafkaSource({
      ...options,
      kafka,
      tables: byTopic,
      messageTopic: messageTopic(prefix),
      deadLetters,
    });
    const ends = async () => {
      const found = await readLogEnds(admin, topics);
      return new Map([...found].map(([name, { high }]) => [name, high]));
    };
    const close = async () => {
      await Promise.allSettled([deadLetters.close(), admin.disconnect()]);
    };
    return { source, clusterId, ends, close };
  } catch (error) {
    await admin.disconnect().catch(() => undefined);
    throw error;
  }
}

async function connected(admin: Admin): Promise<void> {
  try {
    await admin.connect();
  } catch (error) {
    throw kafkaError(error, 'connect');
  }
}
