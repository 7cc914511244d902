import type { Admin } from 'kafkajs';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { deadLetterTopic, messageTopic, tableTopics } from '../../core/topic-name.ts';
import { kafkaClient, type KafkaAccess } from './client.ts';
import { DeadLetters } from './dead-letters.ts';
import { kafkaError } from './kafka-error.ts';
import { KafkaSource, type KafkaSourceOptions } from './kafka-source.ts';
import { readClusterId, readLogEnds } from './log-ends.ts';
import { createMissing } from './topics.ts';
import { wantedTopics, type TopicSettings } from './wanted-topics.ts';

export type LogOptions = Pick<
  KafkaSourceOptions,
  | 'groupId'
  | 'decoder'
  | 'positions'
  | 'heldUntil'
  | 'joinsAt'
  | 'sawHeartbeat'
  | 'readers'
  | 'observer'
  | 'timing'
> & {
  readonly access: KafkaAccess;
  readonly topics: TopicSettings;
  /** All of the stream. */
  readonly tables: readonly TopicTable[];
  /** Names of those whose topics are read here; null: of all. Others are read by other groups. */
  readonly share: ReadonlySet<string> | null;
};

type TopicTable = Pick<MirrorTable, 'name' | 'schema' | 'relation'>;

/** A stream's topics, opened: what a session of the stream needs of them. */
export type OpenLog = {
  readonly source: KafkaSource;
  readonly clusterId: string;
  /** By `topic/partition`, of all topics of the stream: the offset behind the last message. */
  readonly ends: () => Promise<ReadonlyMap<string, bigint>>;
  readonly close: () => Promise<void>;
};

/**
 * Connects to the cluster and makes the topics that are not there yet, as whoever publishes does. The
 * group is joined by the source, when its batches are asked for.
 *
 * @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`, `TLS_REFUSED`, `TOPIC_MISSING`,
 *   `TOPIC_NAME`
 */
export async function openLog(options: LogOptions): Promise<OpenLog> {
  const { access, tables, share, observer } = options;
  const { prefix } = options.topics;
  const byTopic = tableTopics(prefix, tables);
  const topics = [...byTopic.keys(), messageTopic(prefix)];
  const mine = new Map([...byTopic].filter(([, { name }]) => share?.has(name) ?? true));
  const kafka = kafkaClient(access, observer);
  const admin = kafka.admin();
  try {
    await connected(admin);
    const needed = new Set([...topics, deadLetterTopic(prefix)]);
    const wanted = wantedTopics(options.topics, tables);
    await createMissing(
      admin,
      wanted.filter(({ name }) => needed.has(name)),
    );
    const clusterId = await readClusterId(admin);
    const deadLetters = new DeadLetters(kafka, deadLetterTopic(prefix));
    const source = new KafkaSource({
      ...options,
      kafka,
      tables: mine,
      // A partition belongs to one group: heartbeats come to the one that reads the first table.
      messageTopic: isFirst(byTopic, mine) ? messageTopic(prefix) : null,
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

function isFirst(all: ReadonlyMap<string, unknown>, mine: ReadonlyMap<string, unknown>): boolean {
  const [first] = all.keys();
  return first !== undefined && mine.has(first);
}

async function connected(admin: Admin): Promise<void> {
  try {
    await admin.connect();
  } catch (error) {
    throw kafkaError(error, 'connect');
  }
}
