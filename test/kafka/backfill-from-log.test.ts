import { beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import { scanTopic } from '../../connectors/kafka/scan-topic.ts';
import { COMPACTED_AT_ONCE } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Settings } from '../harness/tandem-process.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const FROM_LOG = { BACKFILL_FROM: 'log' };

async function sendSnapshot(log: WrittenLog, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const key = table === 'link' ? ['office_id', 'patient_id'] : ['id'];
    await log.send(table, await log.snapshot(table, ...key));
  }
}

/** What a run is refused with, before it has taken anything. */
async function refusal(
  log: WrittenLog,
  argv: readonly string[] = ['run', '--from', 'kafka'],
): Promise<string> {
  const { code, err, out } = await log.work.run(...argv);
  expect([1, 2], `exit code ${code}: ${out}${err}`).toContain(code);
  return err;
}

async function expectLoaded(log: WrittenLog, settings: Settings = {}): Promise<void> {
  await using child = await log.running(settings);
  await log.send('office', [await log.upsert('office', { id: 90, name: 'o 90' })]);
  await log.caughtUp(child);
  await log.expectAgreement();
  expect(await child.stop()).toBe(0);
}

async function offices(log: WrittenLog): Promise<unknown[]> {
  const rows = await log.pair.target.query(`select id, _deleted from legacy.office order by id`);
  return rows.map(({ id, _deleted: gone }) => (gone === true ? `${String(id)} gone` : id));
}

test('of a compacted topic the last message of each row is enough', async () => {
  await using pair = await freshPair();
  const compacted = { ...COMPACTED_AT_ONCE, 'delete.retention.ms': '0' };
  const configEntries = Object.entries(compacted).map(([name, value]) => ({ name, value }));
  const options = { isLoaded: false, configEntries };
  await using log = await WrittenLog.open(pair, bootstrap, FROM_LOG, options);
  await sendSnapshot(log, ['office', 'patient', 'visit', 'link']);
  for (let i = 0; i < 20; i++) {
    await log.send('office', [await log.upsert('office', { id: 1, name: `north ${i}` })]);
  }
  await log.send('office', [
    await log.remove('office', 6),
    { key: JSON.stringify({ id: 6 }), value: null },
    await log.upsert('office', { id: 7, name: 'o 7' }),
  ]);
  const kafka = kafkaClient(bootstrap);
  const keys = async () => {
    const found: string[] = [];
    await scanTopic(kafka, log.topic('office'), ({ key }) => void found.push(String(key)));
    return found;
  };
  await waitFor(
    async () => {
      // A segment is closed by the next message, and only then it is compacted.
      await log.send('office', [await log.upsert('office', { id: 8, name: 'o 8' })]);
      const left = await keys().catch(() => null);
      // A tombstone goes with a later look than what it stands for.
      return left !== null && left.length < 15 && !left.includes('{"id":6}');
    },
    {
      what: 'the broker to compact the topic, tombstones too',
      timeoutMs: 60_000,
      intervalMs: 1_000,
    },
  );
  await expectLoaded(log);
  expect(await offices(log)).toEqual([1, 2, 3, 4, 5, 7, 8, 90]);
}, 120_000);

test('what is not there from the beginning is refused by name, and can be loaded from the source', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap, FROM_LOG, { isLoaded: false });
  expect(await refusal(log)).toContain('LOG_NOT_WHOLE reason=no topic of a table holds a message');

  const missing = log.topic('visit');
  await log.admin.deleteTopics({ topics: [missing] });
  await waitFor(async () => !(await log.admin.listTopics()).includes(missing), { what: 'its end' });
  await sendSnapshot(log, ['office', 'patient', 'link']);
  expect(await refusal(log)).toContain(`LOG_NOT_WHOLE topics=${missing} reason=not there`);

  await log.admin.createTopics({ topics: [{ topic: missing }], waitForLeaders: true });
  await log.reconnect();
  await sendSnapshot(log, ['visit']);
  const topic = log.topic('office');
  await log.admin.fetchTopicOffsets(topic); // the client has to know the leader
  await log.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
  const cut = `LOG_NOT_WHOLE topic=${topic} partition=0 first=2`;
  expect(await refusal(log)).toContain(cut);
  expect(await pair.target.query(`select from tandem.topic_position`)).toEqual([]);

  expect(await refusal(log, ['run'])).toContain('tandem run --from kafka');
  expect(await refusal(log, ['setup', '--new-slot'])).toContain('BACKFILL_FROM=log');
  await expectLoaded(log, { BACKFILL_FROM: 'source', ON_LOG_LOSS: 'reread' });
}, 120_000);

test('an empty table needs no topic', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap, FROM_LOG, { isLoaded: false });
  const topics = [log.topic('link')];
  await pair.source.query('delete from link');
  await log.admin.deleteTopics({ topics });
  await sendSnapshot(log, ['office', 'patient', 'visit']);
  await expectLoaded(log);
}, 60_000);

test('a log without a snapshot is no backfill', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap, FROM_LOG, { isLoaded: false });
  await log.send('office', [await log.upsert('office', { id: 80, name: 'o 80' })]);
  expect(await refusal(log)).toContain('LOG_NOT_WHOLE reason=no row of a snapshot');
  await expectLoaded(log, { BACKFILL_FROM: 'source' });
}, 60_000);
