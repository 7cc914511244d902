import type { Admin } from 'kafkajs';
import { TandemError } from '../../core/errors.ts';
import { kafkaError } from './kafka-error.ts';
import { partitionName } from './log-position.ts';

/** What a partition holds: offsets from `low` up to, but without, `high`. */
export type LogEnds = { readonly low: bigint; readonly high: bigint };

/** How many topics are asked about at the same time; each is a few requests. */
const AT_ONCE = 8;

/**
 * The ends of every partition of the topics, by `topic/partition`.
 *
 * @throws TandemError `TOPIC_MISSING`, naming all that are, `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`
 */
export async function readLogEnds(
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, LogEnds>> {
  await requireTopics(admin, topics);
  return await readEndsOfPresent(admin, topics);
}

/** The same, of topics that are known to be there. */
export async function readEndsOfPresent(
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, LogEnds>> {
  const ends = new Map<string, LogEnds>();
  await forEachTopic(topics, async (topic) => {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      ends.set(partitionName(topic, partition), { low: BigInt(low), high: BigInt(high) });
    }
  });
  return ends;
}

/**
 * The first offset of every partition whose message is as young as `timeMs` or younger; the end
 * where there is none. By `topic/partition`.
 */
export async function readOffsetsAt(
  admin: Admin,
  topics: readonly string[],
  timeMs: number,
): Promise<ReadonlyMap<string, bigint>> {
  await requireTopics(admin, topics);
  const offsets = new Map<string, bigint>();
  await forEachTopic(topics, async (topic) => {
    for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, timeMs)) {
      offsets.set(partitionName(topic, partition), BigInt(offset));
    }
  });
  return offsets;
}

/** What makes this cluster another one than the next: a cluster set up anew has another. */
export async function readClusterId(admin: Admin): Promise<string> {
  try {
    return (await admin.describeCluster()).clusterId;
  } catch (error) {
    throw kafkaError(error, 'describe the cluster');
  }
}

/**
 * One question about all: a client asks about a missing topic again and again before it gives up.
 *
 * @throws TandemError `TOPIC_MISSING`, naming all that are
 */
export async function requireTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  const present = new Set(
    await admin.listTopics().catch((error: unknown) => {
      throw kafkaError(error, 'list topics');
    }),
  );
  const missing = topics.filter((topic) => !present.has(topic));
  if (missing.length > 0) throw new TandemError('TOPIC_MISSING', { topics: missing.join(', ') });
}

async function forEachTopic(
  topics: readonly string[],
  ask: (topic: string) => Promise<void>,
): Promise<void> {
  const waiting = [...topics];
  const worker = async () => {
    for (let topic = waiting.shift(); topic !== undefined; topic = waiting.shift()) {
      const name = topic;
      await ask(name).catch((error: unknown) => {
        throw kafkaError(error, 'read offsets', { topic: name });
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, topics.length) }, worker));
}
