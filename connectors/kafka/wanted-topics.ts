import type { MirrorTable } from '../../core/mirror-table.ts';
import { deadLetterTopic, messageTopic, tableTopics } from '../../core/topic-name.ts';
import type { WantedTopic } from './topics.ts';

export type TopicSettings = {
  readonly prefix: string;
  /** Of the topics of tables. All others have one. */
  readonly partitions: number;
  /** -1: the brokers' default. */
  readonly replication: number;
  readonly retentionMs: number;
  /** Topics of tables keep the newest message of each row, however old, instead of the youngest. */
  readonly compact: boolean;
};

/** The relay's memory of how far it has come. */
export const relayTopic = (prefix: string): string => `${prefix}.relay-position`;
/** Debezium's own, read by nobody here: it moves the slot on while the tables are idle. */
const debeziumHeartbeatTopic = (prefix: string): string => `__debezium-heartbeat.${prefix}`;

/**
 * Rows may be larger than the megabyte that Kafka allows by default: a connector would stop at them.
 */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const DAY_MS = 86_400_000;

/**
 * Every topic that capture and consumers need, as it is to be made before anybody publishes.
 *
 * @throws TandemError `TOPIC_NAME`
 */
export function wantedTopics(
  { prefix, partitions, replication, retentionMs, compact }: TopicSettings,
  tables: readonly Pick<MirrorTable, 'name' | 'schema' | 'relation'>[],
): readonly WantedTopic[] {
  const single = {
    partitions: 1,
    replication,
    retentionMs,
    compact: false,
    maxMessageBytes: MAX_MESSAGE_BYTES,
  };
  const ofTable = { ...single, partitions, ...(compact ? { compact, retentionMs: null } : {}) };
  return [
    ...[...tableTopics(prefix, tables).keys()].map((name) => ({ ...ofTable, name })),
    { ...single, name: messageTopic(prefix) },
    { ...single, name: deadLetterTopic(prefix) },
    {
      ...single,
      name: debeziumHeartbeatTopic(prefix),
      retentionMs: Math.min(retentionMs, DAY_MS),
    },
    { ...single, name: relayTopic(prefix), retentionMs: null, compact: true },
  ];
}
