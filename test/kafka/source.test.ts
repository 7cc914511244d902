import { beforeAll, expect, test } from 'vitest';
import { readDeadLetters, originName } from '../../connectors/kafka/dead-letters.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { NOTE, notes, TestLog } from './log-bench.ts';
import { consume, consumer, MemoryTarget } from './memory-target.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);
const ids = (first: number, count: number) => notes(first, count).map(({ id }) => id);

test('every message of every partition is given out once, in the order of the source', async () => {
  await using log = await TestLog.open(bootstrap);
  const target = new MemoryTarget();
  await log.write(notes(1, 3_000));
  const reading = consumer(log.source(target), target, {
    maxEvents: () => 1 + Math.floor(Math.random() * 200),
    maxBytes: 60_000,
  });
  await log.write(notes(3_001, 3_000));
  await reading.until('all notes', () => target.ids.length >= 6_000);
  await reading.stop();

  expect(sorted(target.ids)).toEqual(ids(1, 6_000));
  expect(target.refused).toBe(0);
  for (const batch of target.batches) {
    const versions = batch.events.map(({ version }) => Number(version.commitLsn));
    expect(versions).toEqual(sorted(versions));
    expect(batch.events.length).toBeLessThanOrEqual(200);
  }
});

test('it goes on where the target stands, whatever the group has stored', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 100));
  const [groupId, topic] = [`${log.prefix}-group`, log.topic];
  await log.admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '90' }] });
  target.partitions.set(`${topic}/0`, { next: 20n, timestampMs: null });
  const reading = consumer(log.source(target), target);
  await reading.until('the rest', () => target.ids.length >= 80);
  await reading.stop();
  expect(target.ids).toEqual(ids(21, 80));
});

test('the group is told how far the target is', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 10));
  const reading = consumer(log.source(target), target);
  await reading.until('all notes', () => target.ids.length >= 10);
  const offset = () => groupOffset(log);
  await waitFor(async () => (await offset()) === '10', { what: 'the offset' });
  await log.write(notes(11, 5));
  await reading.until('all notes', () => target.ids.length >= 15);
  await reading.stop();
  expect(await offset()).toBe('15');
});

async function groupOffset(log: TestLog): Promise<string | undefined> {
  const groupId = `${log.prefix}-group`;
  const [found] = await log.admin.fetchOffsets({ groupId, topics: [log.topic] });
  return found?.partitions[0]?.offset;
}

test('what nobody can read is kept as it was, told, and passed by', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 2));
  await log.send(log.topic, [{ key: 'k', value: 'not a note', headers: { theirs: 'kept' } }]);
  await log.write(notes(3, 2));
  const reading = consumer(log.source(target), target);
  await reading.until('the notes', () => target.ids.length >= 4);
  await reading.stop();

  expect(target.ids).toEqual(ids(1, 4));
  const origin = { topic: log.topic, partition: 0, offset: 2n };
  expect(target.unreadable).toEqual([
    { ...origin, table: NOTE.name, code: 'PROTOCOL_VIOLATION', message: 'not a note' },
  ]);
  const kept = await readDeadLetters(log.kafka, log.deadLetters, [origin]);
  const letter = kept.get(originName(origin));
  expect(letter).toMatchObject(origin);
  expect(letter?.key?.toString()).toBe('k');
  expect(letter?.value?.toString()).toBe('not a note');
  expect(Object.keys(letter?.headers ?? {})).toEqual(['theirs']);
});

test('where most cannot be read nothing is passed by', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const messages = Array.from({ length: 60 }, (_, i) => ({ key: 'k', value: `not a note ${i}` }));
  await log.send(log.topic, messages);
  const reading = consume(log.source(target), target, { signal: new AbortController().signal });
  await expect(reading).rejects.toMatchObject({
    code: 'LOG_UNREADABLE',
    details: { topic: log.topic, messages: 60, unreadable: 60 },
  });
  expect([...target.partitions.values()].filter(({ next }) => next > 0n)).toEqual([]);
  expect(target.unreadable).toEqual([]);
});

test('heartbeats come with the position of their topic', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const reading = consumer(log.source(target), target);
  await log.send(log.messages, [{ value: '1000' }, { value: '2000' }]);
  await reading.until('a heartbeat', () => target.heartbeats.at(-1)?.sentAtMs === 2000);
  await reading.stop();
  expect(target.partitions.get(`${log.messages}/0`)?.next).toBe(2n);
});

test('marks of transactions are passed by: the position reaches the end of the log', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const reading = consumer(log.source(target), target);
  const producer = log.kafka.producer({
    transactionalId: log.prefix,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  try {
    for (let id = 1; id <= 6; id++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: log.topic, messages: [{ value: `${id} ${id}` }] });
      await (id % 2 === 0 ? transaction.abort() : transaction.commit());
    }
  } finally {
    await producer.disconnect();
  }
  const end = 12n; // each transaction is a message and a mark
  const next = () => target.partitions.get(`${log.topic}/0`)?.next;
  await reading.until('the end', () => next() === end);
  await log.write(notes(7, 1));
  await reading.until('one more', () => next() === end + 1n);
  await reading.stop();
  expect(target.ids).toEqual([1, 3, 5, 7]);
});

test.each(['gzip', 'snappy', 'lz4', 'zstd'])('%s of a Java broker is read', async (codec) => {
  await using log = await TestLog.open(bootstrap, 1);
  const topic = `${log.prefix}.public.note`;
  await log.admin.alterConfigs({
    validateOnly: false,
    resources: [
      { type: 2, name: topic, configEntries: [{ name: 'compression.type', value: codec }] },
    ],
  });
  const target = new MemoryTarget();
  await log.write(notes(1, 20_000));
  const reading = consumer(log.source(target), target);
  await reading.until('all notes', () => target.ids.length >= 20_000);
  await reading.stop();
  expect(target.ids).toEqual(ids(1, 20_000));
});

test('nothing more is fetched while enough is waiting, and the membership lives on', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const source = log.source(target);
  await log.write(notes(1, 20_000), { headers: { padding: 'x'.repeat(1_000) } });
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const reading = consumer(source, target, { maxBytes: 1_000_000, before: () => held });
  // Longer than the group waits for one that is silent.
  await waitFor(async () => source.waitingBytes > 500_000, { what: 'a full queue' });
  const heartbeats = await memberSeenFor(log, 8_000);
  expect(heartbeats).toBe(true);
  expect(source.waitingBytes).toBeLessThan(4_000_000);
  release();
  await reading.until('all notes', () => target.ids.length >= 20_000);
  await reading.stop();
  expect(target.ids).toEqual(ids(1, 20_000));
  expect(target.refused).toBe(0);
});

/** Whether the group has one and the same member for so long. */
async function memberSeenFor(log: TestLog, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  const seen = new Set<string>();
  await waitFor(
    async () => {
      const { groups } = await log.admin.describeGroups([`${log.prefix}-group`]);
      seen.add(groups[0]?.members.map(({ memberId }) => memberId).join() ?? '');
      return Date.now() > end;
    },
    { what: 'some time', timeoutMs: ms + 5_000, intervalMs: 200 },
  );
  return seen.size === 1 && !seen.has('');
}
