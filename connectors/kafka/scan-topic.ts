import type { Kafka, KafkaMessage } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { readLogEnds, type LogEnds } from './log-ends.ts';
import { partitionName } from './log-position.ts';
import { withAdmin } from './with-admin.ts';

/** Shows all that the topic holds at this moment, by a group of its own, which goes again. */
export async function scanTopic(
  kafka: Kafka,
  topic: string,
  visit: (message: KafkaMessage) => void,
): Promise<void> {
  const groupId = `tandem-scan-${randomUUID()}`;
  await withAdmin(kafka, { what: 'read all of it', topic }, async (admin) => {
    const left = unread(await readLogEnds(admin, [topic]));
    if (left.size === 0) return;
    await scanUntil(kafka, { topic, groupId, left }, visit);
    await admin.deleteGroups([groupId]).catch(() => undefined); // it goes by itself after a week
  });
}

function unread(ends: ReadonlyMap<string, LogEnds>): Map<string, bigint> {
  const filled = [...ends].filter(([, { low, high }]) => high > low);
  return new Map(filled.map(([name, { high }]) => [name, high]));
}

type Scan = {
  readonly topic: string;
  readonly groupId: string;
  /** The end of each partition that has not been reached. */
  readonly left: Map<string, bigint>;
};

async function scanUntil(
  kafka: Kafka,
  { topic, groupId, left }: Scan,
  visit: (message: KafkaMessage) => void,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    readUncommitted: true, // the ends count what a transaction has not committed too
    retry: { restartOnFailure: async () => false },
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        const name = partitionName(payload.topic, payload.partition);
        if (BigInt(payload.lastOffset) + 1n >= (left.get(name) ?? 0n)) left.delete(name);
        if (left.size === 0) resolve();
      });
      consumer
        .run({ autoCommit: false, eachBatch: async ({ batch }) => batch.messages.forEach(visit) })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}
