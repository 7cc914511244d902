import { expect, test } from 'vitest';
import type { KafkaMessage } from 'kafkajs';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import { Random } from '../../demo/legacy/random.ts';
import { freshPrefix, kafkaClient } from '../harness/kafka-stack.ts';
import type { Path } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { waitFor } from '../harness/wait-for.ts';

type Sent = { readonly topic: string; readonly message: KafkaMessage };

/** Everything that the topics of tables hold. */
async function readAll({ settings }: SmallPath): Promise<Sent[]> {
  registerCodecs();
  const kafka = kafkaClient(settings['KAFKA_BROKERS'] ?? '');
  const admin = kafka.admin();
  await admin.connect();
  const prefix = `${settings['KAFKA_TOPIC_PREFIX'] ?? ''}.public.`;
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
  let total = 0;
  for (const topic of topics) {
    for (const { high } of await admin.fetchTopicOffsets(topic)) total += Number(high);
  }
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: freshPrefix() });
  const all: Sent[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ topic, message }) => void all.push({ topic, message }),
  });
  await waitFor(async () => all.length >= total, { what: 'the whole log', timeoutMs: 60_000 });
  await consumer.disconnect();
  return all;
}

/** A random half of it once more, in random order and in whichever partition. */
async function sendAgain(open: SmallPath, sent: readonly Sent[], chance: Random): Promise<number> {
  const producer = kafkaClient(open.settings['KAFKA_BROKERS'] ?? '').producer();
  await producer.connect();
  const again = sent
    .filter(() => chance.chance(0.5))
    .map((it) => ({ it, at: chance.int(0, 1_000_000) }))
    .sort((a, b) => a.at - b.at);
  for (const { it } of again) {
    const { key, value, headers = {} } = it.message;
    const partition = chance.int(0, 1);
    await producer.send({ topic: it.topic, messages: [{ key, value, headers, partition }] });
  }
  await producer.disconnect();
  return again.length;
}

const TABLES = ['profiles', 'patients', 'offices', 'orders', 'order_states', 'messages'];

/** Each row as a whole, with the time of its last write. */
async function everyRow({ world }: SmallPath): Promise<readonly unknown[]> {
  const lists = TABLES.map((table) => world.query(`select t::text as line from ${table} t`));
  return (await Promise.all(lists)).map((rows) => rows.map(({ line }) => String(line)).sort());
}

test.each<Path>(['debezium-json', 'debezium-avro'])(
  'through %s: messages that come again, in another order and another partition, change nothing',
  async (path) => {
    const seed = newSeed();
    await using open = await SmallPath.open(path, { seed });
    const { world } = open;
    await using child = open.run();
    await world.caughtUp(child, 120_000);
    await world.watchJournal();
    const traffic = startSmallTraffic(world.source, { seed, perSecond: 300 });
    await waitFor(async () => traffic.committed > 300, { what: 'changes', timeoutMs: 30_000 });
    await traffic.end();
    await open.expectArrived(child);
    const before = await everyRow(open);
    const sent = await readAll(open);
    expect(await sendAgain(open, sent, new Random(seed))).toBeGreaterThan(100);
    await open.expectArrived(child);
    expect(await everyRow(open), `seed ${seed}`).toEqual(before);
    await world.expectJournal();

    // Under traffic too they are nothing, for rows. A journal is only promised what each key's own
    // partition tells in its order: see docs/kafka.md.
    await using more = startSmallTraffic(world.source, { seed: seed + 1, perSecond: 60 });
    await sendAgain(open, sent, new Random(seed + 1));
    await more.end();
    await open.expectArrived(child);
  },
  300_000,
);
