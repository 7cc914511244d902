import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AvroConverter } from '../connectors/debezium/connector-config.ts';
import type { HttpPlace } from '../connectors/debezium/http-place.ts';
import type { KafkaAccess } from '../connectors/kafka/client.ts';
import type { Compression } from '../connectors/kafka/compression.ts';
import type { TopicSettings } from '../connectors/kafka/wanted-topics.ts';
import type { Settings } from './config.ts';
import type { Problem } from './read-settings.ts';

/** The log between capture and target. */
export type KafkaConfig = {
  readonly access: KafkaAccess;
  readonly topics: TopicSettings;
  readonly group: string;
  /** How long a silent member of the group keeps its partitions. */
  readonly sessionTimeoutMs: number;
  /** What relay and connector write. */
  readonly format: 'json' | 'avro';
  /** How the relay compresses. */
  readonly compression: Compression;
  /** Null: there is none, and Avro cannot be read. */
  readonly registry: HttpPlace | null;
  /** Whether rows are read again that a message cannot carry. */
  readonly reread: boolean;
  /** Where the mirror is loaded from. */
  readonly backfillFrom: 'source' | 'log';
  /** What becomes of tables whose changes the log has lost. */
  readonly onLogLoss: 'stop' | 'reread';
  /** Null: no Kafka Connect is asked. */
  readonly connect: ConnectConfig | null;
};

/** Kafka Connect, and the source as its workers see it. */
export type ConnectConfig = {
  readonly place: HttpPlace;
  readonly connector: string;
  /** Null: as we reach it. */
  readonly sourceHost: string | null;
  readonly sourcePort: number | null;
  /** A file of the workers. */
  readonly sourceCa: string | null;
  /** `${file:…:…}`, which the workers resolve; null: the password itself is handed over. */
  readonly passwordReference: string | null;
  readonly converter: AvroConverter;
  readonly registryUrl: string | null;
};

/** Null without KAFKA_BROKERS. What is wrong is added to `problems`. */
export function kafkaConfig(
  settings: Settings,
  workFolder: string,
  problems: Problem[],
): KafkaConfig | null {
  const { KAFKA_BROKERS: brokers, CONNECT_URL: connectUrl } = settings;
  if (brokers === undefined) {
    if (connectUrl !== undefined) {
      problems.push(lacking('KAFKA_BROKERS', 'is needed beside CONNECT_URL'));
    }
    if (settings.BACKFILL_FROM === 'log') {
      problems.push(lacking('KAFKA_BROKERS', 'is needed for BACKFILL_FROM=log'));
    }
    return null;
  }
  if (settings.KAFKA_FORMAT === 'avro' && settings.SCHEMA_REGISTRY_URL === undefined) {
    problems.push(lacking('SCHEMA_REGISTRY_URL', 'is needed for KAFKA_FORMAT=avro'));
  }
  return {
    access: {
      brokers,
      tls: tlsOf(settings, workFolder, problems),
      sasl: saslOf(settings, problems),
    },
    topics: {
      prefix: settings.KAFKA_TOPIC_PREFIX,
      partitions: settings.KAFKA_PARTITIONS,
      replication: settings.KAFKA_REPLICATION ?? -1,
      retentionMs: settings.KAFKA_RETENTION,
      compact: settings.KAFKA_CLEANUP === 'compact',
    },
    group: settings.KAFKA_GROUP ?? `tandem-${settings.STREAM}`,
    sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT,
    format: settings.KAFKA_FORMAT,
    compression: settings.KAFKA_COMPRESSION,
    registry: place(settings, 'SCHEMA_REGISTRY', problems),
    reread: settings.KAFKA_REREAD,
    backfillFrom: settings.BACKFILL_FROM,
    onLogLoss: settings.ON_LOG_LOSS,
    connect: connectConfig(settings, problems),
  };
}

function connectConfig(settings: Settings, problems: Problem[]): ConnectConfig | null {
  const connect = place(settings, 'CONNECT', problems);
  if (connect === null) return null;
  return {
    place: connect,
    connector: settings.CONNECTOR_NAME,
    sourceHost: settings.CONNECT_SOURCE_HOST ?? null,
    sourcePort: settings.CONNECT_SOURCE_PORT ?? null,
    sourceCa: settings.CONNECT_SOURCE_CA ?? null,
    passwordReference: settings.CONNECT_DATABASE_PASSWORD ?? null,
    converter: settings.CONNECT_CONVERTER,
    registryUrl: registryOfConnect(settings),
  };
}

/** Apicurio's converter does not speak as Confluent's, but with the interface beside it. */
function registryOfConnect(settings: Settings): string | null {
  const { SCHEMA_REGISTRY_CONNECT_URL: given, SCHEMA_REGISTRY_URL: ours } = settings;
  if (given !== undefined || ours === undefined) return given ?? null;
  return settings.CONNECT_CONVERTER === 'apicurio'
    ? ours.replace(/\/apis\/ccompat\/v\d+$/, '/apis/registry/v2')
    : ours;
}

function place(
  settings: Settings,
  name: 'CONNECT' | 'SCHEMA_REGISTRY',
  problems: Problem[],
): HttpPlace | null {
  const url = settings[`${name}_URL`];
  if (url === undefined) return null;
  const [user, password] = [settings[`${name}_USERNAME`], settings[`${name}_PASSWORD`]];
  if (user === undefined && password === undefined) return { url, login: null };
  if (user === undefined || password === undefined) {
    problems.push(lacking(`${name}_USERNAME, ${name}_PASSWORD`, 'are given together'));
    return { url, login: null };
  }
  return { url, login: { user, password } };
}

function tlsOf(settings: Settings, workFolder: string, problems: Problem[]): KafkaAccess['tls'] {
  const read = (name: 'KAFKA_SSL_CA' | 'KAFKA_SSL_CERT' | 'KAFKA_SSL_KEY') => {
    const file = settings[name];
    if (file === undefined) return null;
    try {
      return readFileSync(resolve(workFolder, file), 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      problems.push({ setting: name, from: file, problem: `the file cannot be read (${code})` });
      return null;
    }
  };
  const [isCertified, hasKey] = [settings.KAFKA_SSL_CERT, settings.KAFKA_SSL_KEY].map(Boolean);
  if (isCertified !== hasKey) {
    problems.push(lacking('KAFKA_SSL_CERT, KAFKA_SSL_KEY', 'are given together'));
  }
  const [ca, certificate, key] = [
    read('KAFKA_SSL_CA'),
    read('KAFKA_SSL_CERT'),
    read('KAFKA_SSL_KEY'),
  ];
  const client = certificate === null || key === null ? null : { certificate, key };
  return settings.KAFKA_SSL || ca !== null || client !== null ? { ca, client } : null;
}

function saslOf(settings: Settings, problems: Problem[]): KafkaAccess['sasl'] {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME: username } = settings;
  const { KAFKA_PASSWORD: password } = settings;
  if (mechanism === undefined && username === undefined && password === undefined) return null;
  if (mechanism !== undefined && username !== undefined && password !== undefined) {
    return { mechanism, username, password };
  }
  const names = 'KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD';
  problems.push(lacking(names, 'are given together'));
  return null;
}

const lacking = (setting: string, problem: string): Problem => ({
  setting,
  from: 'the settings beside it',
  problem,
});
