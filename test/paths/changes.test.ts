import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { EVERY_TYPE } from '../harness/every-type.ts';
import { EveryPath, type Lane } from '../harness/every-path.ts';
import { largeValue } from '../harness/large-value.ts';
import { SAMPLE_VALUES } from '../harness/sample-values.ts';
import type { Path } from '../harness/paths.ts';
import { newSeed } from '../harness/seed.ts';
import { TYPE_COLUMNS } from '../harness/small-and-types-mapping.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';

// Every kind of change, written once, comes the same through every path. The tests share the paths.

/** Commands beside the stream do not ask in which form it came; direct mode has tests of its own. */
const COMMANDED: Path = 'debezium-avro';

let paths: EveryPath;
const write = (sql: string, values?: readonly unknown[]) => paths.write(sql, values);
const arrived = () => paths.arrived();
const counted = async ({ world }: Lane, from: string) =>
  Number((await world.query(`select count(*) as n from ${from}`))[0]?.['n']);

beforeAll(async () => {
  paths = await EveryPath.open(1, {
    MAX_ROOTS_PER_BATCH: '20',
    BATCH_MAX_EVENTS: '200',
    ON_TRUNCATE: 'stop,jaw=apply,office_user=ignore',
  });
}, 600_000);
afterAll(() => paths[Symbol.asyncDispose](), 120_000);

test('rows come, change, get another key, go, and come back', async () => {
  await write(`begin;
    insert into auth_user (id, name) values (100, 'ada'), (101, 'ben'), (102, 'eva');
    insert into patient (id, user_id, note) values (100, 100, 'a'), (101, 101, 'b');
    update auth_user set name = 'eva', email = 'e@example.org' where id = 100;
    delete from auth_user where id = 102;
    commit`);
  await write(`update patient set id = 201 where id = 101`);
  await write(`update office_user set user_id = user_id + 1000 where office_id = 1`);
  await write(`delete from patient where id = 100`);
  await write(`insert into patient (id, user_id, note) values (100, 101, 'again')`);
  await write(`begin; update patient set id = 300 where id = 201;
    insert into patient (id, user_id, note) values (201, 100, 'in its place');
    update patient set note = 'moved' where id = 300; commit`);
  await arrived();
});

test('a large value stays where an update leaves it alone, also when the key changes', async () => {
  await write(`update patient set note = ${largeValue('a')} where id in (1, 2, 3);
    update instruction set notes = ${largeValue('b')} where id in (1, 2)`);
  await write('update patient set doctor_id = 2 where id in (1, 2)');
  await write('update patient set id = 1001 where id = 1');
  await write('update instruction set status = 3, patient_id = 1001 where id = 1');
  await arrived();
});

test('values that some form on the way could spoil arrive as they are', async () => {
  const longest = Math.max(...Object.values(SAMPLE_VALUES).map(({ length }) => length));
  const names = Object.keys(SAMPLE_VALUES);
  for (let i = 0; i < longest; i++) {
    const values = names.map((name) => SAMPLE_VALUES[name]?.[i % SAMPLE_VALUES[name].length]);
    await write(
      `insert into sample (id, ${names.join(', ')})
       values (${i}, ${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      values,
    );
  }
  await write(`update sample set flag = not flag, big = null where id % 2 = 0`);
  await write(`insert into sample (id) values (1000)`);
  await arrived();
});

test('a value of every type arrives as it is, as text', async () => {
  const most = Math.max(...EVERY_TYPE.map(({ values }) => values.length));
  const places = TYPE_COLUMNS.map((_, i) => `$${i + 2}`).join(', ');
  for (let n = 0; n <= most; n++) {
    const values = EVERY_TYPE.map(({ values }) => values[n] ?? null);
    await write(`insert into every_type values ($1, ${places})`, [n, ...values]);
  }
  await write(`update every_type set c1 = 7 where id < 3`);
  await write(`update every_type set id = id + 100 where id in (1, 4)`);
  await arrived();
  await paths.expectTypes();
});

test('a transaction larger than a batch arrives, and so does what affects too many rows for one', async () => {
  await write(`insert into patient (id, user_id, note)
    select i, 101, 'crowd' from generate_series(5000, 5999) i`);
  await write(`begin; update patient set office_id = 1 where id >= 5000;
    delete from patient where id between 5000 and 5199;
    update auth_user set name = 'of many' where id = 101; commit`);
  await arrived();
  await paths.each(async (lane) =>
    expect(await counted(lane, `patients where name = 'of many'`)).toBeGreaterThan(700),
  );
});

test('children that come before their parents wait for them, and may change them', async () => {
  await write(`insert into instruction_state (id, instruction_id, status, set_at)
    values (700, 700, 1, '2024-03-01'), (701, 700, 2, '2024-03-02')`);
  await write(`insert into instruction (id, patient_id, status) values (700, 700, 1)`);
  await arrived();
  await paths.each(async (lane) =>
    expect(await counted(lane, `tandem.held where entity = 'order_state'`)).toBeGreaterThan(1),
  );
  await write(`insert into patient (id, user_id, office_id) values (700, 700, 700)`);
  await write(`insert into auth_user (id, name) values (700, 'late')`);
  await write(`insert into office (id, name) values (700, 'later still')`);
  await arrived();
  await paths.each(async (lane) =>
    expect(await counted(lane, `patients where name = 'late' and office_id is not null`)).toBe(1),
  );
  await write(`update instruction set patient_id = 2 where id = 700;
    update instruction_state set instruction_id = 2 where id = 701;
    update patient set user_id = 2, office_id = 2 where id = 700`);
  await arrived();
});

test('each change of a status is in the journal, once', async () => {
  await paths.each(({ world }) => world.watchJournal());
  for (let i = 0; i < 5; i++) {
    await write(`update instruction set status = (status + 1) % 6 where id between 5 and 20`);
  }
  await write(`begin; update instruction set status = 4 where id = 7;
    update instruction set status = 5 where id = 7; commit`);
  await arrived();
  await paths.each(({ world }) => world.expectJournal());
});

test('a row that the target refuses is set apart, the others go on, and it is mended by a change', async () => {
  await write(`update auth_user set name = 'forbidden' where id = 3;
    update auth_user set name = 'thirteen char' where id = 4;
    update auth_user set name = 'eva' where id between 5 and 9`);
  await arrived();
  const refused = `tandem.quarantine where error_class = 'TARGET_REFUSED_ROW'`;
  await paths.each(async (lane) => expect(await counted(lane, refused)).toBe(2));
  await write(`update auth_user set name = 'ben' where id in (3, 4)`);
  await arrived();
  await paths.each(async (lane) => expect(await counted(lane, refused)).toBe(0));
});

test('a refused row is tried again by hand, once the target takes it', async () => {
  await write(`update auth_user set name = 'forbidden' where id = 6`);
  await arrived();
  const named = `profiles where name = 'forbidden'`;
  await paths.each(async (lane) => {
    await lane.world.query('alter table profiles drop constraint profiles_name_check');
    if (lane.path !== COMMANDED) return;
    await lane.does(0, 'quarantine', 'retry', 'profile');
    await lane.way.expectRow(named);
  });
  await write(`update auth_user set name = 'ben' where id = 6`);
  await arrived();
  await paths.each(async ({ world }) =>
    world.query(
      `alter table profiles add constraint profiles_name_check check (name <> 'forbidden')`,
    ),
  );
});

test('what is there in the end is the same through every path, row by row', async () => {
  await paths.expectSameEverywhere();
});

test('a truncate stops what it concerns, is followed, or is left out, as it was asked for', async () => {
  const links = `legacy.office_user where not _deleted`;
  const before = new Map<Lane, number>();
  await paths.each(async (lane) => void before.set(lane, await counted(lane, links)));
  await write('truncate jaw');
  await write(`insert into jaw (id, kind) values (1, 'back')`);
  await arrived();
  await write('truncate office_user');
  await write(`insert into office_user (office_id, user_id) values (1, 777)`);
  await paths.each(async (lane) => {
    await lane.world.caughtUp(lane.child);
    expect(await counted(lane, links)).toBe((before.get(lane) ?? 0) + 1);
  });
  await write('truncate record');
  await write(`insert into record (id, body) values (1, 'back')`);
  await paths.each(({ child }) =>
    child.logged('table stopped', ({ table }) => table === 'record', 60_000),
  );
  await write(`update patient set note = 'goes on' where id = 2`);
  await paths.each(({ child, way }) =>
    child.during(
      way.expectRow(`patients where note = 'goes on'`),
      'a row of another table',
      60_000,
    ),
  );
  await paths.each((lane) => lane.restart({ ON_TRUNCATE: 'apply' }));
  await write('truncate office_user');
  await arrived();
});

test('under traffic: killed, an entity paused, another one derived again, a fault planted and repaired', async () => {
  const seed = newSeed();
  await paths.each(({ world }) => world.watchJournal());
  await using traffic = startSmallTraffic(paths.source, { seed, perSecond: 10 });
  // Out of reach of the traffic, so that no change mends it.
  await write(`insert into jaw (id, kind) values (900, 'as it is')`);
  await paths.each(async (lane) => {
    await wait(new Random(seed).int(0, 1_500));
    await lane.crash();
    await lane.child.logged('streaming', undefined, 60_000);
    if (lane.path !== COMMANDED) return;
    await lane.does(0, 'pause', 'patient');
    await lane.does(0, 'resume', 'patient');
    await lane.does(0, 'reprocess', '--entity', 'order');
    await lane.way.expectRow(`jaws where kind = 'as it is'`);
    await lane.world.query(`update legacy.jaw set kind = 'planted' where id = 900`);
    expect(await lane.does(1, 'verify', '--table', 'jaw')).toMatch(/jaw: 900/);
    await lane.does(0, 'verify', '--table', 'jaw', '--repair');
  });
  await traffic.end();
  await paths.arrived(120_000);
  await paths.each(async ({ child, world }) => {
    await world.expectJournal();
    expect(await child.stop('SIGTERM'), child.output).toBe(0);
  });
}, 300_000);
