import { setTimeout as wait } from 'node:timers/promises';
import kafkajs, { type Admin, type ITopicMetadata, type Kafka } from 'kafkajs';
import type { Observer } from '../../core/ports.ts';
import { kafkaError } from './kafka-error.ts';
import { requireTopics } from './log-ends.ts';
import { withAdmin } from './with-admin.ts';

const { ConfigResourceTypes } = kafkajs;

export type WantedTopic = {
  readonly name: string;
  readonly partitions: number;
  /** -1: the broker's default. */
  readonly replication: number;
  /** Null: the broker's default; -1: for ever. */
  readonly retentionMs: number | null;
  /** Of one message; as connector and relay are told. */
  readonly maxMessageBytes: number;
  /** Keeps the newest message of each key instead of the youngest messages. */
  readonly compact: boolean;
};

/** Settings of a topic that are looked at. */
const COMPARED = [
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'max.message.bytes',
] as const;

/** Where a topic that was there is not as it was wanted. */
type TopicDifference = {
  readonly topic: string;
  readonly setting: 'partitions' | 'replication' | (typeof COMPARED)[number];
  readonly wanted: string;
  readonly found: string;
};

/**
 * Creates the topics that are missing. What is there is left alone; how it differs is told.
 *
 * @returns the names of those that were missing
 */
export async function ensureTopics(
  kafka: Kafka,
  wanted: readonly WantedTopic[],
  observer: Observer,
): Promise<readonly string[]> {
  return await withAdmin(kafka, { what: 'create topics' }, async (admin) => {
    const present = new Set(await admin.listTopics());
    const missing = wanted.filter(({ name }) => !present.has(name));
    const there = wanted.filter(({ name }) => present.has(name));
    if (missing.length > 0) await create(admin, missing);
    const differences = there.length === 0 ? [] : await compare(admin, there);
    for (const difference of differences) observer.event('topic is otherwise', difference, 'warn');
    return missing.map(({ name }) => name);
  });
}

/**
 * Creates the topics that are missing, and asks nothing else of the cluster: whoever only reads need
 * not be allowed more.
 *
 * @throws TandemError `TOPIC_MISSING` where they are, and this user may not make them
 */
export async function createMissing(admin: Admin, wanted: readonly WantedTopic[]): Promise<void> {
  try {
    const present = new Set(await admin.listTopics());
    const missing = wanted.filter(({ name }) => !present.has(name));
    if (missing.length > 0) await create(admin, missing);
  } catch (error) {
    const named = kafkaError(error, 'create topics');
    if (named.code === 'KAFKA_REFUSED')
      await requireTopics(
        admin,
        wanted.map(({ name }) => name),
      );
    throw named;
  }
}

/** Another process may create them at the same moment: that they are there is all that counts. */
async function create(admin: Admin, missing: readonly WantedTopic[]): Promise<void> {
  const topics = missing.map(({ name, partitions, replication, ...topic }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: Object.entries(settingsOf(topic)).map(([setting, value]) => ({
      name: setting,
      value,
    })),
  }));
  const names = topics.map(({ topic }) => topic);
  try {
    await admin.createTopics({ topics, waitForLeaders: true });
  } catch (error) {
    // A broker at work may tell of those that it has just made that it does not know them.
    const isUnknown = kafkaError(error, 'create topics').code === 'TOPIC_MISSING';
    if (!(await areSeen(admin, names, isUnknown ? SEEN_WITHIN_MS : 0))) throw error;
  }
}

const SEEN_WITHIN_MS = 10_000;

async function areSeen(admin: Admin, names: readonly string[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const present = new Set(await admin.listTopics());
    if (names.every((name) => present.has(name))) return true;
    if (performance.now() >= deadline) return false;
    await wait(100);
  }
}

type Settings = Pick<WantedTopic, 'retentionMs' | 'compact' | 'maxMessageBytes'>;

function settingsOf({ retentionMs, compact, maxMessageBytes }: Settings) {
  return {
    'cleanup.policy': compact ? 'compact' : 'delete',
    'max.message.bytes': String(maxMessageBytes),
    // Time is the only limit: by size, what is not read yet could go.
    'retention.bytes': '-1',
    ...(retentionMs === null ? {} : { 'retention.ms': String(retentionMs) }),
  };
}

async function compare(
  admin: Admin,
  there: readonly WantedTopic[],
): Promise<readonly TopicDifference[]> {
  const names = there.map(({ name }) => name);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const found = new Map(topics.map((topic) => [topic.name, topic]));
  const configs = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: [...COMPARED],
    })),
  });
  const settings = new Map(
    configs.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return there.flatMap((topic) =>
    differencesOf(topic, found.get(topic.name), settings.get(topic.name) ?? new Map()),
  );
}

function differencesOf(
  wanted: WantedTopic,
  found: ITopicMetadata | undefined,
  settings: ReadonlyMap<string, string>,
): readonly TopicDifference[] {
  const replicas = found?.partitions[0]?.replicas.length ?? 0;
  const pairs: [TopicDifference['setting'], string, string][] = [
    ['partitions', String(wanted.partitions), String(found?.partitions.length ?? 0)],
  ];
  if (wanted.replication !== -1) {
    pairs.push(['replication', String(wanted.replication), String(replicas)]);
  }
  const asked: Partial<Record<(typeof COMPARED)[number], string>> = settingsOf(wanted);
  for (const setting of COMPARED) {
    const value = asked[setting];
    if (value !== undefined) pairs.push([setting, value, settings.get(setting) ?? '']);
  }
  return pairs
    .filter(([, want, is]) => want !== is)
    .map(([setting, want, is]) => ({ topic: wanted.name, setting, wanted: want, found: is }));
}
