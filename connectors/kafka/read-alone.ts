import type { Consumer, ConsumerConfig, EachBatchHandler, Kafka } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { withAdmin, type Attempt } from './with-admin.ts';

export type Alone = {
  readonly topics: readonly string[];
  /** Named where it fails. */
  readonly attempt: Attempt;
  readonly tuning: Omit<ConsumerConfig, 'groupId'>;
};

/** Ends the reading. */
export type Ending = { readonly done: () => void; readonly fail: (error: unknown) => void };

/**
 * Reads topics from their beginning by a group of its own, which goes again: the group that consumes
 * them notices nothing.
 *
 * @param begin is given the consumer before it runs, and what ends it; returns what takes a fetch
 * @throws TandemError what `kafkaError` makes of a failure; whatever `fail` was given
 */
export async function readAlone(
  kafka: Kafka,
  { topics, attempt, tuning }: Alone,
  begin: (consumer: Consumer, ending: Ending) => EachBatchHandler,
): Promise<void> {
  const groupId = `tandem-read-${randomUUID()}`;
  await withAdmin(kafka, attempt, async (admin) => {
    const consumer = kafka.consumer({
      ...tuning,
      groupId,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 100,
      readUncommitted: true, // the ends count what a transaction has not committed too
      retry: { restartOnFailure: async () => false },
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await new Promise<void>((done, fail) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
        const eachBatch = begin(consumer, { done, fail });
        consumer.run({ autoCommit: false, eachBatch }).catch(fail);
      });
    } finally {
      await consumer.disconnect();
    }
    // All was read. Who may not delete groups leaves one behind, which goes by itself after a week.
    await admin.deleteGroups([groupId]).catch(() => undefined);
  });
}
