import { afterAll, beforeAll, expect, test } from 'vitest';
import { LogWriter } from '../../connectors/kafka/log-writer.ts';
import { TandemError } from '../../core/errors.ts';
import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { notes, TestLog, type Note } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

const COPIES = { 'default.replication.factor': '2', 'offsets.topic.replication.factor': '2' };
/** Each partition is on both, and each leads some of them. */
const PARTITIONS = 4;
/** A request to a broker that hangs is given up after so long; 15 s in production. */
const HASTY_REQUESTS = { requestTimeout: 2_000 };

let first: Broker;
let second: Broker;
beforeAll(async () => {
  first = await startBroker({ settings: COPIES });
  second = await startBroker({ joins: first, settings: COPIES });
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

/** As the relay writes: what was not acknowledged is written once more, by a new session. */
async function writeAll(log: TestLog, written: readonly Note[]): Promise<void> {
  const messages = written.map(({ id, at }) => ({
    topic: log.topic,
    key: Buffer.from(String(id)),
    value: Buffer.from(`${id} ${at}`),
    headers: {},
  }));
  for (;;) {
    try {
      const kafka = log.client(HASTY_REQUESTS);
      const writer = await LogWriter.open(kafka, { topics: [log.topic], compression: 'lz4' });
      try {
        await writer.write(messages);
        return;
      } finally {
        await writer.close();
      }
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'KAFKA_UNREACHABLE') throw error;
    }
  }
}

test.each([
  ['hangs', async () => second.pause(), async () => second.resume()],
  ['is killed', () => second.kill(), () => second.start()],
])(
  'when a leader of partitions %s, its partitions are written and read through the other one',
  async (_what, fail, mend) => {
    await using log = await TestLog.open(first.bootstrap, PARTITIONS);
    const target = new MemoryTarget();
    const source = log.source(target, { kafka: log.client(HASTY_REQUESTS) });
    const reading = consumer(source, target);
    const hasAll = (count: number) => () => new Set(target.ids).size >= count;
    await writeAll(log, notes(1, 100));
    await reading.until('the first notes', hasAll(100));

    await fail();
    try {
      await writeAll(log, notes(101, 100));
      await reading.until('the notes of meanwhile', hasAll(200), 60_000);
    } finally {
      await mend();
    }
    await writeAll(log, notes(201, 100));
    await reading.until('the notes of afterwards', hasAll(300), 60_000);
    await reading.stop();
    const ids = [...new Set(target.ids)].sort((a, b) => a - b);
    expect(ids).toEqual(notes(1, 300).map(({ id }) => id));
    for (const { code } of reading.restarts) expect(code).toBe('KAFKA_UNREACHABLE');
  },
  180_000,
);
