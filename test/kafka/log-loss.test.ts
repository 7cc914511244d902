import { beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

/** The target has had three offices; two more, and the end of one, are in the log only. */
async function behind(log: WrittenLog): Promise<void> {
  await using child = await log.running();
  const first = [];
  for (const id of [70, 71, 72]) first.push(await log.upsert('office', { id, name: `o ${id}` }));
  await log.send('office', first);
  await log.send('patient', [await log.upsert('patient', { id: 70, office_id: 70, name: 'p' })]);
  await log.caughtUp(child);
  expect(await child.stop()).toBe(0);
  const more = [await log.upsert('office', { id: 73, name: 'o 73' })];
  more.push(await log.remove('office', 71), await log.upsert('office', { id: 74, name: 'o 74' }));
  await log.send('office', more);
}

/** Goes on to the end, with what it lost and what came after, and proves it. */
async function goesOn(log: WrittenLog, ...options: string[]): Promise<void> {
  await using child = await log.running({}, ...options);
  await log.send('office', [await log.upsert('office', { id: 75, name: 'o 75' })]);
  await log.caughtUp(child);
  await child.logged('table joined');
  await log.expectAgreement();
  expect(child.events('log lost')).toHaveLength(1);
  expect(await child.stop()).toBe(0);
}

test('what expired before the target had it ends the run; asked to, its table is read again', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await behind(log);
  const topic = log.topic('office');
  await log.admin.fetchTopicOffsets(topic);
  await log.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });

  expect((await log.done('status')).out).toMatch(/log {10}nobody consumes, 3 messages behind/);
  await using refused = log.run();
  expect(await refused.exited).toBe(1);
  expect(refused.output).toContain(`LOG_EXPIRED topic=${topic} partition=0 expected=3 first=5`);
  expect(refused.output).toContain('tandem run --from kafka --reread-log');
  await goesOn(log, '--reread-log');
}, 90_000);

test('a topic that was made anew is read again where that is the setting', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap, { ON_LOG_LOSS: 'reread' });
  await behind(log);
  const topic = log.topic('office');
  await log.admin.deleteTopics({ topics: [topic] });
  await waitFor(async () => !(await log.admin.listTopics()).includes(topic), {
    what: 'the topic to go',
  });
  await log.admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  await log.reconnect();
  await goesOn(log);
}, 90_000);

test('partitions that are added lose nothing', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await behind(log);
  await log.admin.createPartitions({
    topicPartitions: [{ topic: log.topic('office'), count: 3 }],
  });
  await log.reconnect();
  const ids = Array.from({ length: 20 }, (_, i) => 80 + i);
  const messages = [];
  for (const id of ids) messages.push(await log.upsert('office', { id, name: `o ${id}` }));
  await log.send('office', messages);
  await using child = await log.running();
  await log.caughtUp(child);
  await log.expectAgreement();
  expect(child.events('log lost')).toEqual([]);
  const rows = await pair.target.query(
    `select count(*)::int as n from tandem.topic_position where topic = $1`,
    [log.topic('office')],
  );
  expect(rows).toEqual([{ n: 3 }]);
  expect(await child.stop()).toBe(0);
}, 60_000);

test('another cluster is gone on with only where a person says so', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap, { ON_LOG_LOSS: 'reread' });
  await behind(log);
  const topics = (await log.admin.listTopics()).filter((name) => name.startsWith(log.prefix));
  await log.admin.deleteTopics({ topics });
  await waitFor(async () => !(await log.admin.listTopics()).some((name) => topics.includes(name)), {
    what: 'the topics to go',
  });
  await pair.target.query(`update tandem.position set cluster_id = 'another_one'`);

  await using refused = log.run();
  expect(await refused.during(refused.exited, 'the refusal', 20_000)).toBe(1);
  expect(refused.output).toContain('LOG_RECREATED fedFrom=another_one');
  await log.reconnect();
  await goesOn(log, '--reread-log');
}, 90_000);
