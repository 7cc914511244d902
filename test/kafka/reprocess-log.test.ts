import { beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const OFFICES = `select (('x' || right(id::text, 8))::bit(32))::int as id, name from offices order by 1`;

test('a part of the log read again heals what is missing, derives what it touches, and undoes nothing', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await using child = await log.running();
  const messages = [];
  for (const id of [80, 81, 82, 83]) messages.push(await log.upsert('office', { id, name: 'a' }));
  messages.push(await log.upsert('office', { id: 82, name: 'b' }), await log.remove('office', 83));
  await log.send('office', messages);
  await log.caughtUp(child);
  const right = await pair.target.query(OFFICES);

  // Lost in the mirror and so in the target; and a foreign write that the mirror knows nothing of.
  await pair.target.query(`delete from legacy.office where id = 80`);
  await pair.target.query(`delete from offices where id = tandem.uuid_of('office', 80)`);
  await pair.target.query(`update offices set name = 'x' where id = tandem.uuid_of('office', 81)`);
  const wrong = await pair.target.query(OFFICES);

  const part = ['--topic', 'office', '--from-offset', '0'];
  const dry = await log.done('reprocess', ...part, '--dry-run');
  expect(dry.out).toContain('6 messages, 6 changes');
  expect(dry.out).toContain('office: 4 roots');
  expect(dry.out).toContain('1 changed');
  expect(await pair.target.query(OFFICES)).toEqual(wrong);

  // The newer name of one and the end of another stand behind the part.
  const { out } = await log.done('reprocess', ...part, '--to-offset', '4', '--wait');
  expect(out).toContain('4 messages, 4 changes');
  expect(await pair.target.query(OFFICES)).toEqual(right);
  await log.expectAgreement();
  expect(child.events('kafka.assigned')).toHaveLength(1);
  const { groups } = await log.admin.listGroups();
  expect(groups.filter(({ groupId }) => groupId.startsWith('tandem-read-'))).toEqual([]);
  expect(await child.stop()).toBe(0);
}, 60_000);

test('from a time on, without a process that streams', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await (await log.running()).stop();
  await log.send('office', [await log.upsert('office', { id: 90, name: 'a' })]);
  const ran = await log.done('reprocess', '--topic', log.topic('office'), '--from-time', '1h');
  expect(ran.out).toContain('1 messages, 1 changes');
  expect(await pair.target.query(OFFICES)).toContainEqual({ id: 90, name: 'a' });
}, 60_000);

test('what the log does not hold is refused with what it holds', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  await (await log.running()).stop();
  const messages = [];
  for (const id of [80, 81, 82]) messages.push(await log.upsert('office', { id, name: 'a' }));
  await log.send('office', messages);
  const topic = log.topic('office');
  const refused = async (...options: string[]) =>
    (await log.work.run('reprocess', '--topic', 'office', ...options)).err;
  const place = `OFFSET_MISSING topic=${topic} partition=`;
  expect(await refused('--from-offset', '9', '--partition', '0')).toContain(
    `${place}0 asked=9 first=0 end=3 firstAt=20`,
  );
  expect(await refused('--from-offset', '0', '--partition', '7')).toContain(
    `${place}7 partitions=1`,
  );
  await log.admin.fetchTopicOffsets(topic);
  await log.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
  expect(await refused('--from-offset', '1')).toContain(`${place}0 asked=1 first=2 end=3`);
  expect(await refused()).toContain('give --from-offset or --from-time');
  expect(await refused('--from-offset', 'x')).toContain('x is not a whole number');
  expect(await refused('--from-offset', '0', '--all')).toContain('exclude each other');
  const other = await log.work.run('reprocess', '--topic', 'nowhere', '--from-offset', '0');
  expect(other.err).toContain('neither a legacy table of the mapping nor its topic');
}, 60_000);
