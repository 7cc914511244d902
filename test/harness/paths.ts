import { expect } from 'vitest';
import { freshPrefix, sharedServer } from './kafka-stack.ts';
import { RelayProcess } from './relay-process.ts';
import type { SharedAddresses, SharedName } from './shared-servers.ts';
import { tandem, type Settings } from './tandem-process.ts';

/** The ways that changes come from the source to the target. */
export const PATHS = [
  'direct',
  'relay-json',
  'relay-avro',
  'debezium-json',
  'debezium-avro',
] as const;
export type Path = (typeof PATHS)[number];

export type OpenPath = AsyncDisposable & {
  /** What every `tandem` process of this path is given. */
  readonly settings: Settings;
  /** `tandem run`, as this path has it. */
  readonly run: readonly string[];
  /** Who writes the log, where that is a process of ours. */
  readonly relay: RelayProcess | null;
  /** Whoever writes the log is told of another mapping: `MAPPING` of the settings. */
  follow(mapping: string): Promise<void>;
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
    const nothing = () => Promise.resolve();
    const run = ['run'];
    return { settings: given, run, relay: null, follow: nothing, [Symbol.asyncDispose]: nothing };
  }
  const isAvro = path.endsWith('avro');
  const settings = { ...(await logSettings(isAvro, servers)), ...given };
  const run = ['run', '--from', 'kafka'];
  await done(['setup'], settings);
  if (path.startsWith('relay')) return { run, settings, ...relaying(settings) };
  const connect = await servers('connect');
  const connecting = {
    ...settings,
    CONNECT_URL: connect.url,
    CONNECTOR_NAME: settings['KAFKA_TOPIC_PREFIX'] ?? '',
  };
  const deploy = (more: Settings) => done(['connector', 'deploy'], { ...connecting, ...more });
  await deploy({});
  const follow = async (mapping: string) => {
    await done(['setup'], { ...settings, MAPPING: mapping });
    await deploy({ MAPPING: mapping });
  };
  const remove = async () => void (await tandem(['connector', 'delete'], connecting));
  return { settings: connecting, run, relay: null, follow, [Symbol.asyncDispose]: remove };
}

function relaying(settings: Settings): Omit<OpenPath, 'settings' | 'run'> {
  const relay = new RelayProcess(settings);
  return {
    relay,
    follow: async (mapping) => {
      await relay.stop('SIGKILL');
      await done(['setup'], { ...settings, MAPPING: mapping });
      relay.start({ MAPPING: mapping });
    },
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
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
