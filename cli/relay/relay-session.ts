import type { Kafka } from 'kafkajs';
import { DebeziumEncoder } from '../../connectors/debezium/encode.ts';
import { SchemaRegistry } from '../../connectors/debezium/schema-registry.ts';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { LogWriter } from '../../connectors/kafka/log-writer.ts';
import { publishedMessage, readPublished } from '../../connectors/kafka/position-topic.ts';
import { ensureTopics } from '../../connectors/kafka/topics.ts';
import { relayTopic, wantedTopics } from '../../connectors/kafka/wanted-topics.ts';
import { withClient } from '../../connectors/postgres/connection.ts';
import { runHeartbeat } from '../../connectors/postgres/heartbeat.ts';
import type { FoundStream, StoredStream } from '../../connectors/postgres/judge-slot.ts';
import { PostgresSource } from '../../connectors/postgres/replication-source.ts';
import { readSlot } from '../../connectors/postgres/slot.ts';
import { clockAheadMs } from '../../connectors/postgres/source-clock.ts';
import { identifySource, type SourceIdentity } from '../../connectors/postgres/source-identity.ts';
import { readTimelineHistory } from '../../connectors/postgres/timeline-history.ts';
import type { Mapping } from '../../core/entity.ts';
import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { ChangeSource, Clock, Observer } from '../../core/ports.ts';
import { readUsages } from '../../core/usage.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { DescribedTables } from '../../relay/described-table.ts';
import { judgeRelay } from '../../relay/judge-relay.ts';
import { readPublishedTables } from '../../relay/published-tables.ts';
import { Relay } from '../../relay/relay.ts';
import type { Config } from '../config.ts';
import { secretColumns } from '../connector/wanted-config.ts';
import type { KafkaConfig } from '../kafka-config.ts';
import { withinMemory } from '../memory-guard.ts';
import { requireNoReader } from '../stream-entry.ts';
import type { TargetMemory } from './target-memory.ts';

export type RelayContext = {
  readonly config: Config;
  readonly kafka: KafkaConfig;
  readonly mapping: Mapping;
  readonly target: TargetMemory;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Put around the source of the stream. */
  readonly watch: (source: ChangeSource) => ChangeSource;
};

/** Two batches are in memory as messages, and one as events, while the next one arrives. */
const BATCH_SHARE = 1 / 20;
/** Larger ones are not faster. */
const BATCH_BYTES = 8 * 1024 * 1024;

/**
 * Publishes the slot until `signal` aborts, in one session: what ends it is thrown.
 *
 * @param progressed told of every batch that the log has
 */
export async function relaySession(
  context: RelayContext,
  signal: AbortSignal,
  progressed: () => void,
): Promise<void> {
  const { config, kafka, observer, clock } = context;
  const client = kafkaClient(kafka.access, observer);
  const start = await prepare(context, client);
  if (signal.aborted) return;
  const { prefix } = kafka.topics;
  const topics = wantedTopics(kafka.topics, start.tables).map(({ name }) => name);
  const log = await LogWriter.open(client, {
    topics,
    compression: kafka.compression,
    observer,
  });
  const over = new AbortController();
  const beating = beat(context, AbortSignal.any([signal, over.signal]));
  try {
    const { systemIdentifier, timeline } = start.source;
    const place = { topic: relayTopic(prefix), slot: config.slot };
    const relay = new Relay(start.startsAt, {
      source: context.watch(sourceOf(context, start.tables)),
      encoder: encoderOf(context, start.source.database),
      log,
      prefix,
      noteOf: (lsn) => publishedMessage(place, { systemIdentifier, timeline, lsn }),
      maxBytes: Math.min(BATCH_BYTES, config.batchMaxBytes, config.memoryLimitBytes * BATCH_SHARE),
      maxEvents: config.batchMaxEvents,
      clock,
      sourceNow: () => clock.now() + start.clockAheadMs,
      observer,
      progressed,
    });
    const position = formatLsn(start.startsAt);
    observer.event('relaying', { slot: config.slot, position, prefix, format: kafka.format });
    await withinMemory(config.memoryLimitBytes, () => relay.run(signal));
  } finally {
    over.abort();
    await Promise.all([log.close(), beating]);
  }
}

type Start = {
  readonly startsAt: Lsn;
  readonly tables: readonly MirrorTable[];
  readonly source: SourceIdentity;
  readonly clockAheadMs: number;
};

/**
 * Makes the topics, and finds out where to begin. What is remembered is read after the slot, and the
 * server after that: another process may be publishing meanwhile, and neither may seem to be behind.
 *
 * @throws TandemError `SLOT_IN_USE`, `NOT_SET_UP`, and what `judgeRelay` refuses
 */
async function prepare(context: RelayContext, kafka: Kafka): Promise<Start> {
  const { config, mapping, clock, observer } = context;
  return await withClient(config.source, 'relay', async (source) => {
    await requireNoReader(context, source);
    const { tables, missing } = await readPublishedTables(source, readUsages(mapping).tables);
    if (missing.length > 0) {
      observer.event('tables are missing', { tables: missing.join(', ') }, 'warn');
    }
    const made = await ensureTopics(kafka, wantedTopics(context.kafka.topics, tables), observer);
    if (made.length > 0) observer.event('topics made', { topics: made.join(', ') });
    const slot = await readSlot(source, config.slot);
    const topic = relayTopic(context.kafka.topics.prefix);
    // A new one has no leader for a moment, and nothing in it.
    const isNew = made.includes(topic);
    const published = isNew ? null : await readPublished(kafka, { topic, slot: config.slot });
    const target = await context.target.read();
    const identity = await identifySource(source);
    const history = await historyOf(config, identity, [target, published]);
    const found: FoundStream = { source: identity, slot, history };
    const verdict = judgeRelay(target, published, found);
    if (verdict.kind === 'refused') throw new TandemError(verdict.code, verdict.details);
    const { startsAt } = verdict;
    return { startsAt, tables, source: identity, clockAheadMs: await clockAheadMs(source, clock) };
  });
}

async function historyOf(
  { source }: Config,
  { timeline }: SourceIdentity,
  memories: readonly (Pick<StoredStream, 'timeline'> | null)[],
) {
  const isOther = memories.some((memory) => memory !== null && memory.timeline !== timeline);
  return isOther ? await readTimelineHistory(source, timeline) : [];
}

function sourceOf(
  { config, mapping, observer, clock }: RelayContext,
  tables: readonly MirrorTable[],
): ChangeSource {
  const described = new DescribedTables(new Set(secretColumns(mapping)));
  return new PostgresSource({
    database: config.source,
    slot: config.slot,
    publication: config.publication,
    tables,
    describe: described.describe,
    observer,
    clock,
    statusIntervalMs: config.statusSeconds * 1000,
  });
}

function encoderOf({ kafka }: RelayContext, database: string): DebeziumEncoder {
  const { registry, format, topics } = kafka;
  const isAvro = format === 'avro' && registry !== null;
  return new DebeziumEncoder({
    prefix: topics.prefix,
    database,
    registry: isAvro ? new SchemaRegistry(registry) : null,
  });
}

function beat({ config, observer, clock }: RelayContext, signal: AbortSignal): Promise<void> {
  if (config.heartbeatSeconds === 0) return Promise.resolve();
  const intervalMs = config.heartbeatSeconds * 1000;
  return runHeartbeat({ database: config.source, intervalMs, observer, clock, signal });
}
