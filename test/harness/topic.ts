import kafkajs, { type KafkaMessage } from 'kafkajs';
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

/** Sets these of a topic's settings; the others are the broker's defaults from then on. */
export async function configureTopic(
  bootstrap: string,
  name: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = kafkaClient(bootstrap).admin();
  await admin.connect();
  try {
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name, configEntries }],
    });
  } finally {
    await admin.disconnect();
  }
}

/** Settings under which a broker compacts what is in a topic within moments. */
export const COMPACTED_AT_ONCE = {
  'cleanup.policy': 'compact',
  'segment.ms': '100',
  'min.cleanable.dirty.ratio': '0.001',
  'max.compaction.lag.ms': '100',
} as const;

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
