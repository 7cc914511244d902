import { beforeAll, describe, expect, test } from 'vitest';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import { scanTopic } from '../../connectors/kafka/scan-topic.ts';
import type { RawMessage } from '../../core/log-message.ts';
import { freshPair } from '../harness/database.ts';
import { kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import { largeValue } from '../harness/large-value.ts';
import type { Path } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { COMPACTED_AT_ONCE, configureTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import { WrittenLog } from './written-log.ts';

beforeAll(() => registerCodecs());

/** What a topic holds, the messages of each key by themselves. */
async function byKey(bootstrap: string, topic: string): Promise<RawMessage[][]> {
  const found = new Map<string, RawMessage[]>();
  await scanTopic(kafkaClient(bootstrap), topic, (message) => {
    const key = message.key?.toString('hex') ?? '';
    found.set(key, [...(found.get(key) ?? []), message]);
  });
  return [...found.values()];
}

describe.each<Path>(['relay-json', 'debezium-avro'])('through %s', (path) => {
  test('who stood still while a topic was compacted loses no delete and no large value', async () => {
    await using open = await SmallPath.open(path, { seed: newSeed() });
    const { world, settings } = open;
    const bootstrap = settings['KAFKA_BROKERS'] ?? '';
    const topic = `${settings['KAFKA_TOPIC_PREFIX']}.public.patient`;
    const ids = 'id between 1 and 6';
    await world.source.query(`update patient set note = ${largeValue('first')} where ${ids}`);
    {
      await using child = open.run();
      await open.expectArrived(child, 120_000);
      expect(await child.stop()).toBe(0);
    }
    await configureTopic(bootstrap, topic, COMPACTED_AT_ONCE);
    await world.source.query(`update patient set note = ${largeValue('second')} where ${ids}`);
    await world.source.query(`update patient set doctor_id = 2 where ${ids}`);
    await world.source.query(`delete from patient where id between 7 and 12`);
    await waitFor(
      async () => {
        // A segment is closed by the next message, and only then it is compacted.
        await world.source.query(`update patient set doctor_id = 3 where id between 20 and 40`);
        const left = (await byKey(bootstrap, topic)).map((messages) =>
          messages.map(({ value }) => value),
        );
        const deleted = left.filter((values) => values.includes(null));
        const isAlone = deleted.length === 6 && deleted.every((values) => values.length === 1);
        return isAlone && !left.flat().some((value) => value?.includes('second ') === true);
      },
      { what: 'the broker to compact the topic', timeoutMs: 60_000, intervalMs: 500 },
    );
    await using child = open.run();
    await open.expectArrived(child, 60_000);
    await world.source.query(`update patient set doctor_id = 1 where ${ids}`);
    await open.expectArrived(child, 60_000);
    // Whoever has the partitions next goes by it too.
    const gaps = `select from tandem.topic_position where topic = '${topic}' and has_gaps`;
    expect((await world.query(gaps)).length).toBeGreaterThan(0);
    expect(await child.stop()).toBe(0);
  }, 240_000);
});

const tombstone = (id: number) => ({ key: JSON.stringify({ id }), value: null });

test('a tombstone whose delete is gone removes what the source has no more, and nothing else', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, (await sharedServer('broker')).bootstrap);
  await using child = await log.running();
  await log.remove('office', 5); // nobody sends its message
  const again = await log.upsert('office', { id: 4, name: 'again' });
  // 1 is there all the while, 77 was never known; 4 is told of on either side, in one fetch.
  await log.send('office', [tombstone(5), tombstone(1), tombstone(77), tombstone(4), again]);
  await log.caughtUp(child);
  const rows = await pair.target.query('select id, _deleted from legacy.office order by id');
  expect(rows.map(({ id, _deleted: gone }) => (gone === true ? -Number(id) : id))).toEqual([
    ...[1, 2, 3, 4, -5, 6],
  ]);
  await log.expectAgreement();
  expect(await child.stop()).toBe(0);
}, 60_000);
