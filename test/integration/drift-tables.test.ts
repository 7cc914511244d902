import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DriftBench } from '../harness/drift-bench.ts';
import { CODED, NAMELESS, OFFICES, PLAIN, TALL, VISITED } from '../harness/drift-mapping.ts';
import { uuidOf } from '../../core/uuid.ts';
import { waitFor } from '../harness/wait-for.ts';

const OFFICE = ['id', 'name', 'note'];
const PATIENT = ['id', 'office_id', 'name', 'story'];

test('a column that nobody reads comes and goes: it is noted once, and nothing is interrupted', async () => {
  await using bench = await DriftBench.open();
  await using running = await bench.run(PLAIN);
  await using writers = await bench.writers();
  await bench.caughtUp();
  await bench.source.query('alter table patient add column colour text');
  const noted = (facts: object) =>
    waitFor(
      async () =>
        bench.notes
          .named('source columns changed')
          .find(
            (it) =>
              it['table'] === 'patient' && Object.entries(facts).every(([k, v]) => it[k] === v),
          ),
      { what: 'the note' },
    );
  await noted({ added: 'colour', gone: '' });
  await bench.source.query('alter table patient drop column height cascade');
  await noted({ added: '', gone: 'height' });
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  expect(bench.notes.named('source columns changed')).toHaveLength(2);
  expect(bench.notes.named('streaming')).toHaveLength(1);
  await running.stop();
}, 60_000);

test('a column that becomes wider is followed: no event is lost, and nothing is read again', async () => {
  await using bench = await DriftBench.open();
  await using running = await bench.run(PLAIN);
  await using writers = await bench.writers();
  await bench.caughtUp();
  await bench.source.query('alter table patient alter column name type varchar(40)');
  await bench.source.query(`update patient set name = repeat('x', 33) where id = 5`);
  await bench.source.query('alter table patient alter column id type bigint');
  await bench.source.query(`insert into patient (id, name) values (5000000000, 'far')`);
  await bench.source.query('alter table patient alter column name type text');
  await bench.source.query(`update patient set name = repeat('y', 60) where id < 9`);
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  expect(bench.notes.named('columns widened').length).toBeGreaterThan(0);
  expect(bench.notes.named('reading beside the stream')).toEqual([]);
  await running.stop();
}, 60_000);

test('a used column is dropped: the table stops with its name, the rest goes on; put back, it is read again', async () => {
  await using bench = await DriftBench.open();
  await using running = await bench.run(PLAIN);
  await using writers = await bench.writers();
  await bench.caughtUp();
  await bench.source.query('alter table patient rename column name to called');
  const { reason } = await bench.state('patient', 'stopped');
  expect(reason).toContain('name');
  await waitFor(async () => (await bench.entityStates())['patient'] === 'stopped', {
    what: 'the entity',
  });
  expect((await bench.entityStates())['office']).not.toBe('stopped');
  // The others go on, and the position with them.
  await bench.caughtUp();
  await bench.source.query(`insert into office (id, name) values (9000, 'open')`);
  await bench.caughtUp();
  await bench.expectMirror('office', OFFICE).catch(() => undefined);
  expect(await bench.target.query(`select name from offices where name = 'open'`)).toHaveLength(1);

  await bench.source.query(`update patient set story = repeat('changed', 500) where id < 50`);
  await bench.source.query('delete from patient where id between 100 and 120');
  await bench.source.query('alter table patient rename column called to name');
  await bench.source.query('update patient set height = 5 where id < 60');
  await bench.state('patient', 'active');
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('office', OFFICE);
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  expect(await bench.entityStates()).toMatchObject({ patient: 'active' });
  await running.stop();
}, 60_000);

test('a mapping that does without the lost column mends the table when it starts again', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await bench.source.query('alter table patient drop column name');
    await bench.state('patient', 'stopped');
    await bench.source.query('update patient set office_id = 3 where id < 40');
    await running.stop();
  }
  // A restart knows; it does not take the table up.
  await using again = await bench.run(PLAIN);
  await bench.source.query('update patient set office_id = 4 where id < 20');
  await bench.caughtUp();
  expect(await bench.entityStates()).toMatchObject({ patient: 'stopped' });
  await again.stop();

  await using writers = await bench.writers();
  await using mended = await bench.run(NAMELESS);
  await bench.state('patient', 'active');
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('patient', ['id', 'office_id', 'story']);
  expect(await bench.entityStates()).toMatchObject({ patient: 'active' });
  await mended.stop();
}, 60_000);

test('a column that the mapping reads from now on is filled while the stream goes on', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await running.stop();
  }
  await using writers = await bench.writers();
  await using running = await bench.run(TALL);
  await bench.state('patient', 'active');
  await pause(200);
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('patient', [...PATIENT, 'height']);
  await bench.expectTarget({ with: 'height' });
  await running.stop();
}, 60_000);

test('a table that the mapping reads from now on joins the running stream; whoever wrote before it was published is waited for', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await running.stop();
  }
  const idle = await bench.source.client();
  await idle.query(`begin; update visit set words = 'late' where id = 7`);
  await using writers = await bench.writers();
  await using running = await bench.run(VISITED);
  await bench.state('visit', 'waiting');
  await bench.source.query(`insert into office (id, name) values (9001, 'meanwhile')`);
  await waitFor(
    async () =>
      (await bench.target.query(`select 1 from offices where name = 'meanwhile'`)).length > 0,
    { what: 'the others to go on', timeoutMs: 20_000 },
  );
  expect(await bench.entityStates()).toMatchObject({ visit: 'stopped' });
  await idle.query('commit');
  await bench.state('visit', 'active');
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('visit', ['id', 'patient_id', 'words']);
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  expect(
    await bench.target.query('select count(*)::int as n from visits where deleted_at is null'),
  ).toEqual(await bench.source.query('select count(*)::int as n from visit'));
  expect(await bench.entityStates()).toMatchObject({ visit: 'active' });
  await running.stop();
}, 60_000);

test('a column that went and came back before the stream came there: the time between is skipped, the table read again', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await running.stop();
  }
  await bench.source.query('alter table patient rename column name to called');
  await bench.source.query(`update patient set story = repeat('between', 200) where id < 300`);
  await bench.source.query('delete from patient where id between 300 and 320');
  await bench.source.query('alter table patient rename column called to name');
  await bench.source.query('update patient set height = 1 where id < 400');
  await using writers = await bench.writers();
  await using running = await bench.run(PLAIN);
  await waitFor(async () => bench.notes.named('table joined').length > 0, {
    what: 'the table to be read again',
    timeoutMs: 20_000,
  });
  await writers.stop();
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectMirror('office', OFFICE);
  await bench.expectTarget();
  await running.stop();
}, 60_000);

test.each([
  ['alter table patient alter column office_id type text', 'column office_id'],
  ['alter table patient drop constraint patient_pkey, add primary key (id, height)', 'key'],
  ['drop table patient', 'the table'],
  ['alter table patient replica identity nothing', 'replica identity nothing'],
])(
  'after "%s" the table stops, named; offices go on',
  async (change, named) => {
    await using bench = await DriftBench.open();
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await bench.source.query(change);
    expect((await bench.state('patient', 'stopped'))['reason']).toContain(named);
    await bench.source.query(`insert into office (id, name) values (9000, 'open')`);
    await bench.caughtUp();
    await bench.expectMirror('office', OFFICE);
    expect(await bench.entityStates()).toMatchObject({ office: 'active', patient: 'stopped' });
    await running.stop();
  },
  60_000,
);

test('a number with less digits is read again: the source has rounded its rows, and said nothing', async () => {
  await using bench = await DriftBench.open();
  await bench.source.query(
    `alter table patient alter column name type timestamp(6) using timestamp '2024-01-01' + id * interval '0.123456 s'`,
  );
  await using running = await bench.run(PLAIN);
  await bench.caughtUp();
  await bench.source.query('alter table patient alter column name type timestamp(1)');
  await waitFor(async () => bench.notes.named('table joined').length > 0, {
    what: 'the table to be read again',
    timeoutMs: 60_000,
  });
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await running.stop();
}, 120_000);

test('a table that the mapping drops is noted; setup withdraws it; read again it is whole', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await running.stop();
  }
  {
    await using running = await bench.run(OFFICES);
    await bench.caughtUp();
    await running.stop();
  }
  expect(bench.notes.named('table removed from the mapping')).toEqual([{ table: 'patient' }]);
  const published = `select tablename from pg_publication_tables where pubname = 'tandem' order by 1`;
  expect(await bench.source.query(published)).toHaveLength(2);
  await bench.setUp(OFFICES, true);
  expect(await bench.source.query(published)).toEqual([{ tablename: 'office' }]);
  await bench.source.query(
    `update patient set name = 'missed' where id < 30; delete from patient where id > 1990`,
  );
  await using running = await bench.run(PLAIN);
  await bench.state('patient', 'active');
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  await running.stop();
}, 60_000);

test('a table that is taken out of the publication stops; the next start publishes it and reads it again', async () => {
  await using bench = await DriftBench.open();
  {
    await using running = await bench.run(PLAIN);
    await bench.caughtUp();
    await bench.source.query('alter publication tandem drop table patient');
    await bench.source.query(`update patient set name = 'missed' where id < 30`);
    expect((await bench.state('patient', 'stopped'))['cause']).toBe('unpublished');
    await running.stop();
  }
  await using running = await bench.run(PLAIN);
  await bench.state('patient', 'active');
  await bench.caughtUp();
  await bench.expectMirror('patient', PATIENT);
  await bench.expectTarget();
  await running.stop();
}, 60_000);

test('another key is declared: what the old one yielded goes when the new rows are there, and nothing else', async () => {
  await using bench = await DriftBench.open();
  await bench.source.query(
    `alter table visit add column code text;
     update visit set code = 'c' || id;
     alter table visit alter column code set not null;
     create unique index visit_code on visit (code);
     -- So that there is something that the target cannot remove.
     insert into visit values (9001, 1, 'kept', 'c9001')`,
  );
  {
    await using running = await bench.run(VISITED);
    await bench.caughtUp();
    await running.stop();
  }
  await bench.target.query(
    `alter table visits drop column deleted_at;
     create table receipts (visit_id uuid references visits (id));
     insert into visits (id, words) values (gen_random_uuid(), 'of the new system');
     insert into receipts select id from visits where words = 'kept'`,
  );
  await bench.source.query(
    `alter table visit replica identity using index visit_code;
     delete from visit where id between 5 and 25 or id = 9001`,
  );
  await using again = await bench.run(CODED);
  await bench.state('visit', 'active');
  await bench.caughtUp();
  const live = await bench.target.query('select words from visits where id = any($1) order by 1', [
    (await bench.source.query('select code from visit')).map((row) =>
      uuidOf('visit', String(row['code'])),
    ),
  ]);
  expect(live).toEqual(await bench.source.query('select words from visit order by 1'));
  // Those, the one that stays, and the new system's own.
  expect(await bench.target.query('select count(*)::int as n from visits')).toEqual([
    { n: live.length + 2 },
  ]);
  const issues = await bench.target.query('select entity, reason from tandem.issue');
  expect(issues).toHaveLength(1);
  expect(issues[0]?.['reason']).toContain('receipts_visit_id_fkey');
  expect(bench.notes.named('rows without a root removed')).toMatchObject([
    { entity: 'visit', removed: 2000, kept: 1, finished: true },
  ]);
  await again.stop();
}, 60_000);
