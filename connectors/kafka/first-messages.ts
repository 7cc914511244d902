import type { Kafka } from 'kafkajs';
import type { RawMessage } from '../../core/log-message.ts';
import type { LogEnds } from './log-ends.ts';
import { partitionName } from './log-position.ts';
import { readAlone } from './read-alone.ts';
import { toRaw } from './take-messages.ts';

/**
 * The first message of every partition of the topics that holds one. Their offsets need not be where
 * the log begins: compaction takes messages out.
 */
export async function readFirstMessages(
  kafka: Kafka,
  topics: readonly string[],
  ends: ReadonlyMap<string, LogEnds>,
): Promise<readonly RawMessage[]> {
  const filled = [...ends].filter(([, { low, high }]) => high > low);
  // The end of each partition whose first message has not come.
  const waiting = new Map(filled.map(([name, { high }]) => [name, high]));
  if (waiting.size === 0) return [];
  const found: RawMessage[] = [];
  const reading = {
    topics,
    attempt: { what: 'read what the topics begin with' },
    tuning: { maxBytesPerPartition: 65_536 }, // a larger message comes all the same, alone
  };
  await readAlone(kafka, reading, (consumer, { done }) => {
    consumer.on(
      consumer.events.END_BATCH_PROCESS,
      ({ payload: { topic, partition, lastOffset } }) => {
        const name = partitionName(topic, partition);
        // Nothing but the marks of transactions.
        if (BigInt(lastOffset) + 1n >= (waiting.get(name) ?? 0n)) waiting.delete(name);
        if (waiting.size === 0) done();
      },
    );
    return async ({ batch: { topic, partition, messages } }) => {
      const [first] = messages;
      if (first === undefined || !waiting.delete(partitionName(topic, partition))) return;
      found.push(toRaw({ topic, partition }, first));
      consumer.pause([{ topic, partitions: [partition] }]);
    };
  });
  return found;
}
