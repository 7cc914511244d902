import type { Kafka } from 'kafkajs';
import type { RawMessage } from '../../core/log-message.ts';
import { readLogEnds } from './log-ends.ts';
import { partitionOf } from './log-position.ts';
import { readRange } from './read-range.ts';
import { withAdmin } from './with-admin.ts';

/**
 * Shows all that the topic holds at this moment.
 *
 * @throws TandemError `TOPIC_MISSING`, `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`
 */
export async function scanTopic(
  kafka: Kafka,
  topic: string,
  visit: (message: RawMessage) => void,
): Promise<void> {
  const ends = await withAdmin(kafka, { what: 'find its ends', topic }, (admin) =>
    readLogEnds(admin, [topic]),
  );
  const filled = [...ends].filter(([, { low, high }]) => high > low);
  const ranges = filled.map(
    ([name, { high }]) => [partitionOf(name).partition, { from: null, to: high }] as const,
  );
  await readRange(kafka, topic, new Map(ranges), async (messages) => messages.forEach(visit));
}
