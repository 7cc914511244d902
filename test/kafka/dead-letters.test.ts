import { beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { sharedServer } from '../harness/kafka-stack.ts';
import { readTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import { WrittenLog } from './written-log.ts';

let bootstrap: string;
beforeAll(async () => {
  bootstrap = (await sharedServer('broker')).bootstrap;
});

const NOT_JSON = { key: '{"id":50}', value: '{"op": not json' };

/** The places of messages that nobody could read. */
async function letters(log: WrittenLog): Promise<readonly string[]> {
  const rows = await log.pair.target.query(
    `select topic || ' ' || "partition" || '/' || "offset" || ' ' || attempts as place
     from tandem.dead_letter order by 1`,
  );
  return rows.map((row) => String(row['place']));
}

async function officeName(log: WrittenLog, id: number): Promise<unknown> {
  const rows = await log.pair.target.query(
    `select name from offices where id = tandem.uuid_of('office', $1::bigint)`,
    [id],
  );
  return rows[0]?.['name'] ?? null;
}

test('a message that nobody can read is passed, listed, told and accepted', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const topic = log.topic('office');
  await using child = await log.running();
  await log.send('office', [NOT_JSON, await log.upsert('office', { id: 51, name: 'west' })]);
  await log.caughtUp(child);
  expect(await officeName(log, 51)).toBe('west');

  const [kept] = await readTopic(bootstrap, `${log.prefix}.dead-letter`, { count: 1 });
  const headers = Object.entries(kept?.headers ?? {}).map(([name, it]) => [name, String(it)]);
  expect(Object.fromEntries(headers)).toMatchObject({
    'tandem.code': 'MESSAGE_UNREADABLE',
    'tandem.topic': topic,
    'tandem.partition': '0',
    'tandem.offset': '0',
    'tandem.table': 'office',
    'tandem.entities': 'office',
  });
  expect(String(kept?.value)).toBe(NOT_JSON.value);

  const list = await log.done('quarantine', 'list', '--json');
  expect(JSON.parse(list.out)).toMatchObject({
    total: 5, // the rows that the mapping refuses
    messages: {
      total: 1,
      counts: [{ topic, reason: 'MESSAGE_UNREADABLE', messages: 1 }],
      rows: [{ place: '0/0', table: 'office', attempts: 1 }],
    },
  });
  const lines = (await log.done('quarantine', 'list', '--entity', 'office')).out;
  expect(lines).toContain('TARGET_REFUSED_ROW');
  expect(lines).toContain(`next: tandem quarantine show ${topic} 0/0`);
  expect((await log.done('quarantine', 'list', '--entity', 'patient')).out).not.toContain(topic);
  expect((await log.done('quarantine', 'show', topic, '0/0')).out).toContain('office');
  expect((await log.done('status')).out).toMatch(/unread {7}1, the oldest/);
  expect((await log.done('verify')).out).toContain('1 messages could not be read');

  const again = await log.work.run('quarantine', 'retry', topic, '0/0');
  expect(again.code).toBe(1);
  expect(await letters(log)).toEqual([`${topic} 0/0 2`]);
  await log.done('quarantine', 'accept', topic, '0/0', '--reason', 'a test wrote it');
  expect((await log.done('status')).out).not.toContain('unread');
  expect((await log.done('quarantine', 'list', '--accepted')).out).toContain('a test wrote it');
  expect(await child.stop()).toBe(0);
}, 60_000);

/** The decoder of an earlier version, or a registry that was wrong: what was unreadable is readable. */
async function spoil(log: WrittenLog, messages: readonly number[]): Promise<void> {
  const topic = log.topic('office');
  for (const offset of messages) {
    await log.pair.target.query(
      `insert into tandem.dead_letter (topic, "partition", "offset", table_name, error_class, message)
       values ($1, 0, $2, 'office', 'MESSAGE_UNREADABLE', 'by an earlier version')`,
      [topic, offset],
    );
  }
}

test('a late message is applied where nothing newer is there, and undoes nothing', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const topic = log.topic('office');
  const kept = (offset: number) => ({
    'tandem.topic': topic,
    'tandem.partition': '0',
    'tandem.offset': String(offset),
    'tandem.timestamp': '0',
  });
  const old = await log.upsert('office', { id: 60, name: 'old name' });
  const lost = await log.upsert('office', { id: 61, name: 'lost' });
  const gone = await log.upsert('office', { id: 62, name: 'gone' });
  await using child = await log.running();
  await log.send('office', [
    await log.upsert('office', { id: 60, name: 'new name' }),
    await log.remove('office', 62),
  ]);
  await log.caughtUp(child);
  await spoil(log, [100, 101, 102]);
  await log.sendTo(`${log.prefix}.dead-letter`, [
    { ...old, headers: kept(100) },
    { ...lost, headers: kept(101) },
    { ...gone, headers: kept(102) },
  ]);

  const { out } = await log.done('quarantine', 'retry', '--all', '--wait');
  expect(out).toContain('3 applied');
  expect(await letters(log)).toEqual([]);
  expect(await officeName(log, 60)).toBe('new name');
  expect(await officeName(log, 61)).toBe('lost');
  expect(await officeName(log, 62)).toBeNull();
  await log.expectAgreement();
  expect(await child.stop()).toBe(0);
}, 60_000);

test('a change that left out what a late message says is completed from the source', async () => {
  await using pair = await freshPair();
  await using log = await WrittenLog.open(pair, bootstrap);
  const topic = log.topic('patient');
  await using child = await log.running();
  const first = { id: 1, office_id: 1, name: 'a new name', height: 170 };
  const unread = await log.upsert('patient', first);
  const next = await log.upsert('patient', { ...first, height: 180 });
  const unsent = JSON.parse(String(next.value)) as { after: Record<string, unknown> };
  unsent.after['name'] = '__debezium_unavailable_value';
  await log.send('patient', [{ ...next, value: JSON.stringify(unsent) }]);
  await log.caughtUp(child);
  await waitFor(async () => (await log.work.run('verify')).code === 1, { what: 'a wrong row' });

  await log.pair.target.query(
    `insert into tandem.dead_letter (topic, "partition", "offset", table_name, error_class, message)
     values ($1, 0, 77, 'patient', 'MESSAGE_UNREADABLE', 'by an earlier version')`,
    [topic],
  );
  const headers = { 'tandem.topic': topic, 'tandem.partition': '0', 'tandem.offset': '77' };
  await log.sendTo(`${log.prefix}.dead-letter`, [{ ...unread, headers }]);
  await log.done('quarantine', 'retry', topic);
  await log.expectAgreement();
  expect(await child.stop()).toBe(0);
}, 60_000);
