import { DebeziumDecoder, type DecoderOptions } from '../connectors/debezium/decode.ts';
import { SchemaRegistry } from '../connectors/debezium/schema-registry.ts';
import { EXACT_MODES } from '../connectors/debezium/value-modes.ts';
import { kafkaClient } from '../connectors/kafka/client.ts';
import { DeadLetters } from '../connectors/kafka/dead-letters.ts';
import { kafkaError } from '../connectors/kafka/kafka-error.ts';
import { KafkaSource } from '../connectors/kafka/kafka-source.ts';
import { readClusterId, readLogEnds } from '../connectors/kafka/log-ends.ts';
import type { Decoded, MessageDecoder } from '../connectors/kafka/message-decoder.ts';
import {
  deadLetterTopic,
  ensureTopics,
  messageTopic,
  tableTopics,
} from '../connectors/kafka/topics.ts';
import { wantedTopics } from '../connectors/kafka/wanted-topics.ts';
import type { Mapping } from '../core/entity.ts';
import type { Batch, ChangeSource, Heartbeat } from '../core/ports.ts';
import { parseLsn, type Lsn } from '../core/version.ts';
import { capturedTables } from './connector/wanted-config.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { LogCapture, LogSession, LogSessionOptions } from './log-capture.ts';

/** Which topics a process reads: those of these tables, in a group of its own; null: all of them. */
export type Share = { readonly tables: ReadonlySet<string> | null; readonly group: string };

/** The stream through Kafka, as Debezium or the relay have written it. */
export function kafkaCapture(kafka: KafkaConfig, mapping: Mapping, share: Share): LogCapture {
  return { open: (options) => openLog(kafka, mapping, share, options) };
}

async function openLog(
  config: KafkaConfig,
  mapping: Mapping,
  share: Share,
  options: LogSessionOptions,
): Promise<LogSession> {
  const { stored, positions, observer } = options;
  const { prefix } = config.topics;
  const kafka = kafkaClient(config.access, observer);
  const admin = kafka.admin();
  const letters = new DeadLetters(kafka, deadLetterTopic(prefix));
  // Topics of tables that are stopped or wait are read too, and passed over.
  const all = tableTopics(prefix, capturedTables(mapping));
  const tables = new Map([...all].filter(([, { name }]) => share.tables?.has(name) ?? true));
  const source = new KafkaSource({
    kafka,
    groupId: share.group,
    tables,
    messageTopic: messageTopic(prefix),
    decoder: decoderOf(config, options),
    positions,
    deadLetters: letters,
    heldUntil: parseLsn(stored.position),
    observer,
  });
  const close = async () => {
    await Promise.allSettled([letters.close(), admin.disconnect()]);
  };
  try {
    await admin.connect();
    // Whoever publishes makes them too; a consumer that is first does not have to wait for that.
    await ensureTopics(admin, wantedTopics(config.topics, capturedTables(mapping)));
    const clusterId = await readClusterId(admin);
    const topics = [...all.keys(), messageTopic(prefix)];
    const ends = async () => {
      const found = await readLogEnds(admin, topics);
      return new Map([...found].map(([name, { high }]) => [name, high]));
    };
    return { source: noting(source, options.sawHeartbeat), clusterId, ends, close };
  } catch (error) {
    await close();
    throw kafkaError(error, 'connect');
  }
}

/** Debezium's messages, without what was committed before a table joined. */
function decoderOf(
  { topics, registry, reread }: KafkaConfig,
  { tables, joinsAt, stored }: LogSessionOptions,
): MessageDecoder {
  const options: DecoderOptions = {
    tables,
    prefix: topics.prefix,
    modes: EXACT_MODES,
    registry: registry === null ? null : new SchemaRegistry(registryOptions(registry)),
    startedAt: stored.consistentPoint,
    reread,
  };
  const decoder = new DebeziumDecoder(options);
  if (joinsAt.size === 0) return decoder;
  return {
    prepare: (messages) => decoder.prepare(messages),
    decode: (message) => behind(joinsAt, decoder.decode(message)),
  };
}

function behind(joinsAt: ReadonlyMap<string, Lsn>, decoded: Decoded): Decoded {
  if (decoded.kind !== 'change') return decoded;
  const { table, version } = decoded.event;
  const from = joinsAt.get(table.name);
  return from !== undefined && version.commitLsn < from ? { kind: 'nothing' } : decoded;
}

function registryOptions({ url, login }: NonNullable<KafkaConfig['registry']>) {
  if (login === null) return { url };
  const credentials = Buffer.from(`${login.user}:${login.password}`).toString('base64');
  return { url, authorization: `Basic ${credentials}` };
}

/** The same source; heartbeats are told to somebody as they come. */
function noting(source: KafkaSource, saw: (heartbeat: Heartbeat) => void): ChangeSource {
  async function* batches(...args: Parameters<ChangeSource['batches']>): AsyncGenerator<Batch> {
    for await (const batch of source.batches(...args)) {
      if (batch.heartbeat !== null) saw(batch.heartbeat);
      yield batch;
    }
  }
  return {
    batches,
    confirm: (position) => source.confirm(position),
    rewind: () => source.rewind(),
  };
}
