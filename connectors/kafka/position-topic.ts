import type { Kafka } from 'kafkajs';
import type { EncodedMessage } from '../../core/log-message.ts';
import { formatLsn, parseLsn, type Lsn } from '../../core/version.ts';
import { scanTopic } from './scan-topic.ts';

/** Everything of this server's log up to `lsn` is in the topics. */
export type PublishedUpTo = {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly lsn: Lsn;
};

/**
 * The memory of those who publish a slot: a compacted topic, by slot. One that froze and wakes up may
 * write an older place behind a newer one, so the furthest counts.
 *
 * @returns null where nobody has published this slot here
 * @throws TandemError `TOPIC_MISSING`, `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`
 */
export async function readPublished(
  kafka: Kafka,
  { topic, slot }: { readonly topic: string; readonly slot: string },
): Promise<PublishedUpTo | null> {
  let furthest: PublishedUpTo | null = null;
  await scanTopic(kafka, topic, ({ key, value }) => {
    if (key?.toString() !== slot) return;
    const found = value === null ? null : parsePublished(value.toString());
    if (found !== null && (furthest === null || !isFurther(furthest, found))) furthest = found;
  });
  return furthest;
}

/** On another server, the later message is right. */
function isFurther(a: PublishedUpTo, b: PublishedUpTo): boolean {
  if (a.systemIdentifier !== b.systemIdentifier) return false;
  return a.timeline === b.timeline ? a.lsn > b.lsn : a.timeline > b.timeline;
}

/** That memory, as a message. */
export function publishedMessage(
  { topic, slot }: { readonly topic: string; readonly slot: string },
  upTo: PublishedUpTo,
): EncodedMessage {
  return {
    topic,
    key: Buffer.from(slot),
    value: Buffer.from(formatPublished(upTo)),
    headers: {},
  };
}

function formatPublished({ systemIdentifier, timeline, lsn }: PublishedUpTo): string {
  return JSON.stringify({ lsn: formatLsn(lsn), system: systemIdentifier, timeline });
}

/** Null: not ours. */
function parsePublished(text: string): PublishedUpTo | null {
  try {
    const found = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { lsn, system, timeline } = found;
    if (typeof lsn !== 'string' || typeof system !== 'string' || typeof timeline !== 'number') {
      return null;
    }
    return { systemIdentifier: system, timeline, lsn: parseLsn(lsn) };
  } catch {
    return null;
  }
}
