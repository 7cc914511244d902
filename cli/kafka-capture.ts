import { DebeziumDecoder } from '../connectors/debezium/decode.ts';
import { SchemaRegistry } from '../connectors/debezium/schema-registry.ts';
import { EXACT_MODES } from '../connectors/debezium/value-modes.ts';
import { kafkaClient } from '../connectors/kafka/client.ts';
import { readFirstMessages } from '../connectors/kafka/first-messages.ts';
import { partitionName, partitionOf } from '../connectors/kafka/log-position.ts';
import { lookAtLog } from '../connectors/kafka/log-sight.ts';
import { openLog } from '../connectors/kafka/open-log.ts';
import type { Mapping } from '../core/entity.ts';
import type { Observer } from '../core/ports.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { messageTopic, tableTopics } from '../core/topic-name.ts';
import { parseLsn, type Lsn } from '../core/version.ts';
import { capturedTables } from './connector/wanted-config.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { LogBeginning, LogCapture, LogSessionOptions } from './log-capture.ts';
import { entitiesByTable } from './messages/readers.ts';

/** Which topics a process reads: those of these tables, in a group of its own; null: all of them. */
export type Share = { readonly tables: ReadonlySet<string> | null; readonly group: string };

/** The stream through Kafka, as Debezium or the relay have written it. */
export function kafkaCapture(
  kafka: KafkaConfig,
  mapping: Mapping,
  share: Share,
  observer: Observer,
): LogCapture {
  return {
    open: (options) =>
      openLog({
        access: kafka.access,
        topics: kafka.topics,
        groupId: options.whole === true ? kafka.group : share.group,
        timing: { sessionTimeoutMs: kafka.sessionTimeoutMs },
        // Topics of tables that are stopped or wait are read too, and passed over.
        tables: capturedTables(mapping),
        share: options.whole === true ? null : share.tables,
        decoder: decoderOf(kafka, options),
        positions: options.positions,
        heldUntil: parseLsn(options.stored.position),
        joinsAt: options.joinsAt,
        sawHeartbeat: options.sawHeartbeat,
        readers: entitiesByTable(mapping),
        observer: options.observer,
      }),
    beginning: (tables) => readBeginning(kafka, tables, observer),
    look: (topics) => lookAtLog(kafka.access, topics, observer),
  };
}

async function readBeginning(
  kafka: KafkaConfig,
  tables: readonly MirrorTable[],
  observer: Observer,
): Promise<LogBeginning> {
  const { prefix } = kafka.topics;
  const topics = [...tableTopics(prefix, tables).keys()];
  const sight = await lookAtLog(kafka.access, [...topics, messageTopic(prefix)], observer);
  const isTable = ([name]: readonly [string, unknown]) => topics.includes(partitionOf(name).topic);
  const ends = new Map([...sight.ends].filter(isTable));
  const there = topics.filter((topic) => ends.has(partitionName(topic, 0)));
  const messages = await readFirstMessages(kafkaClient(kafka.access, observer), there, ends);
  const decoder = decoderOf(kafka, { tables, stored: { connectorBegan: 0n as Lsn } });
  await decoder.prepare(messages);
  const places = messages.flatMap((message) => decoder.snapshotAt(message) ?? []);
  const first = places.reduce<Lsn | null>((a, b) => (a === null || b < a ? b : a), null);
  return { ...sight, snapshotAt: first };
}

/** Reads what Debezium and the relay write. */
export function decoderOf(
  { topics, registry, reread }: KafkaConfig,
  {
    tables,
    stored,
  }: {
    readonly tables: LogSessionOptions['tables'];
    readonly stored: Pick<LogSessionOptions['stored'], 'connectorBegan'>;
  },
): DebeziumDecoder {
  return new DebeziumDecoder({
    tables,
    prefix: topics.prefix,
    modes: EXACT_MODES,
    registry: registry === null ? null : new SchemaRegistry(registry),
    startedAt: stored.connectorBegan,
    reread,
  });
}
