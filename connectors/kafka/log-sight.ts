import { TandemError } from '../../core/errors.ts';
import type { Observer } from '../../core/ports.ts';
import { kafkaClient, type KafkaAccess } from './client.ts';
import { judgeCluster, judgeLog } from './judge-log.ts';
import { readClusterId, readEndsOfPresent, type LogEnds } from './log-ends.ts';
import { partitionOf, type StoredPositions } from './log-position.ts';
import { withAdmin } from './with-admin.ts';

/** What a log holds at one moment, of the topics that were asked for. */
export type LogSight = {
  readonly clusterId: string;
  /** By `topic/partition`; a topic that is not there has none. */
  readonly ends: ReadonlyMap<string, LogEnds>;
};

/** @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED` */
export async function lookAtLog(
  access: KafkaAccess,
  topics: readonly string[],
  observer: Observer,
): Promise<LogSight> {
  const kafka = kafkaClient(access, observer);
  return await withAdmin(kafka, { what: 'look at the log' }, async (admin) => {
    const present = new Set(await admin.listTopics());
    const there = topics.filter((topic) => present.has(topic));
    return { clusterId: await readClusterId(admin), ends: await readEndsOfPresent(admin, there) };
  });
}

/** Topics of which the target has had more, or less, than the log shows: all where it is another cluster. */
export function lostTopics(
  topics: readonly string[],
  stored: StoredPositions,
  sight: LogSight,
): ReadonlySet<string> {
  if (!isSound(() => judgeCluster(stored.clusterId, sight.clusterId))) return new Set(topics);
  const lost = new Set<string>();
  for (const [name, { next, seenEnd = 0n }] of stored.partitions) {
    const { topic, partition } = partitionOf(name);
    if (!topics.includes(topic)) continue;
    const expected = { topic, partition, next, seenEnd, isKnown: true, mayBeginLate: false };
    if (!isSound(() => judgeLog(expected, sight.ends.get(name)))) lost.add(topic);
  }
  return lost;
}

function isSound(judge: () => unknown): boolean {
  try {
    judge();
    return true;
  } catch (error) {
    if (error instanceof TandemError) return false;
    throw error;
  }
}

/** The first offset of every partition of a topic. */
export function beginningsOf(topic: string, { ends }: LogSight): ReadonlyMap<number, bigint> {
  const found = [...ends].filter(([name]) => partitionOf(name).topic === topic);
  return new Map(found.map(([name, { low }]) => [partitionOf(name).partition, low]));
}
