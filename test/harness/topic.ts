import type { KafkaMessage } from 'kafkajs';
import { freshPrefix, kafkaClient } from './kafka-stack.ts';
import { waitFor } from './wait-for.ts';

type TopicOptions = { readonly count: number; readonly timeoutMs?: number };

/** The first messages of a topic, which may not be there yet, by a group of its own. */
export async function readTopic(
  bootstrap: string,
  topic: string,
  options: TopicOptions,
): Promise<KafkaMessage[]> {
  const { count, timeoutMs = 30_000 } = options;
  const kafka = kafkaClient(bootstrap);
  await waitForTopic(bootstrap, topic, timeoutMs);
  const consumer = kafka.consumer({ groupId: freshPrefix(), maxWaitTimeInMs: 100 });
  const messages: KafkaMessage[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    await waitFor(async () => messages.length >= count, {
      what: `${count} messages in ${topic}`,
      timeoutMs,
    });
  } finally {
    await consumer.disconnect();
  }
  return messages.slice(0, count);
}

/** Connect makes a topic with its first message. */
async function waitForTopic(bootstrap: string, topic: string, timeoutMs: number): Promise<void> {
  const admin = kafkaClient(bootstrap).admin();
  await admin.connect();
  try {
    await waitFor(async () => (await admin.listTopics()).includes(topic), {
      what: `the topic ${topic}`,
      timeoutMs,
      intervalMs: 50,
    });
  } finally {
    await admin.disconnect();
  }
}
