import { beforeAll, expect, test } from 'vitest';
import { TandemError } from '../../core/errors.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { notes, TestLog, type SourceOptions } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

/** A topic with one partition, of which the target has had the first `count` notes. */
async function fed(log: TestLog, count: number): Promise<MemoryTarget> {
  const target = new MemoryTarget();
  await log.write(notes(1, count));
  const reading = consumer(log.source(target), target);
  await reading.until('the notes', () => target.ids.length >= count);
  await reading.stop();
  return target;
}

/** Reads until it fails. */
async function failure(log: TestLog, target: MemoryTarget, options: SourceOptions = {}) {
  const reading = consumer(log.source(target, options), target);
  return reading.ended.then(
    () => null,
    (error: unknown) => error,
  );
}

async function expire(log: TestLog, offset: number): Promise<void> {
  const partitions = [{ partition: 0, offset: String(offset) }];
  await log.admin.fetchTopicOffsets(log.topic); // the client has to know the leader
  await log.admin.deleteTopicRecords({ topic: log.topic, partitions });
}

/** The same topics, made anew and empty. */
async function recreate(log: TestLog, partitions = 1): Promise<void> {
  await log.deleteTopic();
  await waitFor(
    async () =>
      log.create(partitions).then(
        () => true,
        () => false,
      ),
    { what: 'the topic to be made anew', intervalMs: 100 },
  );
}

test('messages that expired before the target had them end it, with the place', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = await fed(log, 10);
  await log.write(notes(11, 10));
  await expire(log, 15);
  expect(await failure(log, target)).toMatchObject({
    code: 'LOG_EXPIRED',
    details: { topic: log.topic, partition: 0, expected: 10n, first: 15n },
  });
  expect(target.ids).toHaveLength(10);
});

test('messages that expire while it reads, too', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  const source = log.source(target);
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await log.write(notes(1, 10_000), { headers: { padding: 'x'.repeat(500) } });
  const reading = consumer(source, target, { maxBytes: 100_000, before: () => held });
  await waitFor(async () => source.waitingBytes > 100_000, { what: 'a full queue' });
  await expire(log, 9_990);
  release();
  await expect(reading.ended).rejects.toMatchObject({
    code: 'LOG_EXPIRED',
    details: { topic: log.topic, partition: 0, first: 9_990n },
  });
  expect(target.ids).toEqual(notes(1, target.ids.length).map(({ id }) => id));
});

test('what expired after the target had it does no harm', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = await fed(log, 10);
  await log.write(notes(11, 10));
  await expire(log, 10);
  const reading = consumer(log.source(target), target);
  await reading.until('the rest', () => target.ids.length >= 20);
  await reading.stop();
});

test('a partition of which the target has had nothing may have lost what was too old', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 20));
  await expire(log, 10);
  const reading = consumer(log.source(target, { heldUntil: 11 }), target);
  await reading.until('the rest', () => target.ids.length >= 10);
  await reading.stop();
  expect(target.partitions.get(`${log.topic}/0`)?.next).toBe(20n);
  expect(target.refused).toBe(0);
});

test('and nothing that was not', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  await log.write(notes(1, 20));
  await expire(log, 10);
  const place = { topic: log.topic, partition: 0, expected: 0n, first: 10n };
  const target = new MemoryTarget();
  const found = await failure(log, target, { heldUntil: 10 });
  expect(found).toMatchObject({ code: 'LOG_EXPIRED', details: place });
  expect(target.ids).toEqual([]);
});

test('a table that joins the stream later leaves out what was before, there or gone', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 20));
  await expire(log, 10);
  const reading = consumer(log.source(target, { joinsAt: 15 }), target);
  await reading.until('the rest', () => target.ids.length >= 6);
  await reading.stop();
  expect(target.ids).toEqual([15, 16, 17, 18, 19, 20]);
});

test('and where nothing is left, its place is noted', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 20));
  await expire(log, 20);
  const reading = consumer(log.source(target, { joinsAt: 30 }), target);
  const next = () => target.partitions.get(`${log.topic}/0`)?.next;
  await reading.until('its place', () => next() === 20n);
  await log.write(notes(31, 1));
  await reading.until('the note', () => target.ids.length === 1);
  await reading.stop();
  expect(target.ids).toEqual([31]);
});

test('a topic that was made anew is told, when it is shorter', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = await fed(log, 10);
  await recreate(log);
  expect(await failure(log, target)).toMatchObject({
    code: 'LOG_RECREATED',
    details: { topic: log.topic, partition: 0, expected: 10n, end: 0n },
  });
});

test('and when it has as many messages and more, by the time of the last one', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = await fed(log, 10);
  await recreate(log);
  await log.write(notes(101, 20));
  expect(await failure(log, target)).toMatchObject({
    code: 'LOG_RECREATED',
    details: { topic: log.topic, partition: 0, changed: 9n },
  });
  expect(target.ids).toHaveLength(10);
});

test('and before a message of it was read, by how far it had reached', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 20));
  const before = () => Promise.reject(new TandemError('TARGET_FAILED', { reason: 'not yet' }));
  const held = consumer(log.source(target), target, { before });
  await expect(held.ended).rejects.toMatchObject({ code: 'TARGET_FAILED' });
  expect(target.partitions.get(`${log.topic}/0`)).toMatchObject({ next: 0n, seenEnd: 20n });
  await recreate(log);
  await log.write(notes(101, 19));
  expect(await failure(log, target)).toMatchObject({
    code: 'LOG_RECREATED',
    details: { topic: log.topic, partition: 0, end: 19n, endedAt: 20n },
  });
  expect(target.ids).toEqual([]);
});

test('another cluster is told by its name', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = await fed(log, 1);
  target.clusterId = 'of-before';
  const { clusterId } = await log.admin.describeCluster();
  const found = await failure(log, target);
  const details = { fedFrom: 'of-before', cluster: clusterId };
  expect(found).toMatchObject({ code: 'LOG_RECREATED', details });
});

test('a topic that is deleted while it is read ends it, by name', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 10));
  const reading = consumer(log.source(target), target);
  await reading.until('the notes', () => target.ids.length >= 10);
  await log.deleteTopic();
  await expect(reading.ended).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
});

test('a topic that was never made is named at the start', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  await log.deleteTopic();
  const found = await failure(log, new MemoryTarget());
  expect(found).toMatchObject({ code: 'TOPIC_MISSING', details: { topics: log.topic } });
});

test('partitions that are added are read from their first message on', async () => {
  await using log = await TestLog.open(bootstrap, 1);
  const target = new MemoryTarget();
  await log.write(notes(1, 50));
  const reading = consumer(log.source(target), target);
  await reading.until('the notes', () => target.ids.length >= 50);
  await log.admin.createPartitions({ topicPartitions: [{ topic: log.topic, count: 3 }] });
  // By number: a producer notices new partitions later than this test.
  await log.addTo([1, 2], notes(51, 50));
  await reading.until('the others', () => target.ids.length >= 100);
  await reading.stop();
  expect(new Set(target.ids).size).toBe(100);
  expect(target.refused).toBe(0);
});
