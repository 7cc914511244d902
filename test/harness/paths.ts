import { expect } from 'vitest';
import { freshPrefix, sharedServer } from './kafka-stack.ts';
import type { SharedAddresses, SharedName } from './shared-servers.ts';
import { tandem, TandemProcess, type Settings } from './tandem-process.ts';

/** The ways that changes come from the source to the target. */
export const PATHS = ['direct', 'relay', 'relay, Avro', 'Debezium', 'Debezium, Avro'] as const;
export type Path = (typeof PATHS)[number];

export type OpenPath = AsyncDisposable & {
  /** What every `tandem` process of this path is given. */
  readonly settings: Settings;
  /** `tandem run`, as this path has it. */
  readonly run: readonly string[];
};

/** Where the servers of a log are. */
export type Servers = <N extends SharedName>(name: N) => Promise<SharedAddresses[N]>;

/**
 * Makes the way: slot and publication, and who writes the log, where there is one. Whatever it has
 * started ends with it.
 *
 * @param given names of the log too, where several ways share one
 * @param servers of the log. Default: those that all files of this run share
 */
export async function openPath(
  path: Path,
  given: Settings,
  servers: Servers = sharedServer,
): Promise<OpenPath> {
  if (path === 'direct') {
    return { settings: given, run: ['run'], [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const isAvro = path.endsWith('Avro');
  const settings = { ...(await logSettings(isAvro, servers)), ...given };
  const run = ['run', '--from', 'kafka'];
  await done(['setup'], settings);
  if (path.startsWith('relay')) {
    const relay = new TandemProcess(['relay'], settings);
    return { settings, run, [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose]() };
  }
  const connect = await servers('connect');
  const connecting = {
    ...settings,
    CONNECT_URL: connect.url,
    CONNECTOR_NAME: settings['KAFKA_TOPIC_PREFIX'] ?? '',
  };
  await done(['connector', 'deploy'], connecting);
  const remove = async () => void (await tandem(['connector', 'delete'], connecting));
  return { settings: connecting, run, [Symbol.asyncDispose]: remove };
}

async function logSettings(isAvro: boolean, servers: Servers): Promise<Settings> {
  const broker = await servers('broker');
  const settings = {
    KAFKA_BROKERS: broker.bootstrap,
    KAFKA_TOPIC_PREFIX: freshPrefix(),
    KAFKA_GROUP: freshPrefix(),
    KAFKA_PARTITIONS: '2',
    KAFKA_REPLICATION: '1',
    // Whoever comes after one that was killed waits for so long.
    KAFKA_SESSION_TIMEOUT: '3s',
  };
  if (!isAvro) return settings;
  const registry = await servers('registry');
  return { ...settings, KAFKA_FORMAT: 'avro', SCHEMA_REGISTRY_URL: registry.url };
}

async function done(args: readonly string[], settings: Settings): Promise<void> {
  const { code, output } = await tandem(args, settings);
  expect(code, output).toBe(0);
}
