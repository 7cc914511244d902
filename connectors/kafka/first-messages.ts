import type { Kafka } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import type { RawMessage } from '../../core/log-message.ts';
import type { LogEnds } from './log-ends.ts';
import { partitionName } from './log-position.ts';
import type { Arrived } from './partition-queue.ts';
import { toRaw } from './take-messages.ts';
import { withAdmin } from './with-admin.ts';

/**
 * The first message of every partition of the topics that holds one, by a group of its own, which
 * goes again. Their offsets need not be where the log begins: compaction takes messages out.
 */
export async function readFirstMessages(
  kafka: Kafka,
  topics: readonly string[],
  ends: ReadonlyMap<string, LogEnds>,
): Promise<readonly RawMessage[]> {
  const filled = [...ends].filter(([, { low, high }]) => high > low);
  const waiting = new Map(filled.map(([name, { high }]) => [name, high]));
  if (waiting.size === 0) return [];
  const groupId = `tandem-first-${randomUUID()}`;
  return await withAdmin(kafka, { what: 'read what the topics begin with' }, async (admin) => {
    const found = await readFirst(kafka, topics, groupId, waiting);
    await admin.deleteGroups([groupId]).catch(() => undefined); // it goes by itself after a week
    return found;
  });
}

/** @param waiting the end of each partition whose first message has not come */
async function readFirst(
  kafka: Kafka,
  topics: readonly string[],
  groupId: string,
  waiting: Map<string, bigint>,
): Promise<readonly RawMessage[]> {
  const found: RawMessage[] = [];
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    readUncommitted: true, // the ends count what a transaction has not committed too
    maxBytesPerPartition: 65_536, // a larger message comes all the same, alone
    retry: { restartOnFailure: async () => false },
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const { CRASH, END_BATCH_PROCESS } = consumer.events;
      consumer.on(CRASH, ({ payload }) => reject(payload.error));
      consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
        const name = partitionName(topic, partition);
        // Nothing but the marks of transactions.
        if (BigInt(lastOffset) + 1n >= (waiting.get(name) ?? 0n)) waiting.delete(name);
        if (waiting.size === 0) resolve();
      });
      const eachBatch = async ({ batch: { topic, partition, messages } }: Fetched) => {
        const [first] = messages;
        if (first === undefined || !waiting.delete(partitionName(topic, partition))) return;
        found.push(toRaw({ topic, partition }, first));
        consumer.pause([{ topic, partitions: [partition] }]);
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return found;
}

type Fetched = {
  readonly batch: {
    readonly topic: string;
    readonly partition: number;
    readonly messages: readonly Arrived[];
  };
};
