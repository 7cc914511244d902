import { expect, test } from 'vitest';
import { startBroker } from '../../demo/servers/kafka/broker.ts';
import { notes, TestLog } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);
const ids = (first: number, count: number) => notes(first, count).map(({ id }) => id);

test('a broker that is killed and comes back is read on', async () => {
  await using broker = await startBroker();
  await using log = await TestLog.open(broker.bootstrap);
  const target = new MemoryTarget();
  const source = log.source(target);
  const reading = consumer(source, target, { maxEvents: 50 });
  for (let round = 0; round < 3; round++) {
    const before = round * 1_000;
    await log.write(notes(before + 1, 1_000));
    await reading.until('some', () => target.ids.length > before);
    await broker.kill();
    await broker.start();
    await reading.until('all', () => target.ids.length >= before + 1_000, 60_000);
  }
  await reading.stop();
  expect(sorted(target.ids)).toEqual(ids(1, 3_000));
  for (const { code } of reading.restarts) expect(code).toBe('KAFKA_UNREACHABLE');
}, 180_000);

test('a broker that does not answer holds up neither an error nor an end', async () => {
  await using broker = await startBroker();
  await using log = await TestLog.open(broker.bootstrap);
  const target = new MemoryTarget();
  const kafka = log.client({ requestTimeout: 2_000 });
  const reading = consumer(log.source(target, { kafka }), target);
  await log.write(notes(1, 10));
  await reading.until('the notes', () => target.ids.length >= 10);
  broker.pause();
  try {
    await reading.until('an error', () => reading.restarts.length > 0, 60_000);
    expect(reading.restarts[0]).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
    const begin = performance.now();
    await reading.stop();
    expect(performance.now() - begin).toBeLessThan(5_000);
  } finally {
    broker.resume();
  }
}, 120_000);
