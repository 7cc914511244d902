import { expect, test } from 'vitest';
import { parseLsn } from '../../core/version.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { StatementProxy, type Stop } from '../harness/statement-proxy.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';

// A step is killed before its statement reaches the server. That is also behind the one before it:
// the server knows nothing of an answer that its client has not read.
type Step = Stop & { readonly name: string };

const before = (name: string, at: RegExp, behind?: RegExp): Step => ({
  ...{ name: `before ${name}`, at, when: 'before' },
  ...(behind === undefined ? {} : { behind }),
});
const after = (name: string, at: RegExp, behind?: RegExp): Step => ({
  ...before(name, at, behind),
  ...{ name: `after ${name}`, when: 'after' },
});

const MERGE = /(insert into|update) "?legacy"?\."?instruction"? as mirror/;
const DERIVE = /(update|insert into) "?public"?\."?patients"? /;
const TAKE_JOB = /from tandem\.job\s+where entity/;
const MOVE_JOB = /(update|delete from) tandem\.job/;

/** Changes that go through every step: a name that patients carry, and a status of the journal. */
async function change(world: SmallWorld, value: string): Promise<void> {
  await world.source.query(`begin;
    update auth_user set name = '${value}' where id = 1;
    update instruction set status = (status + 1) % 6, notes = '${value}' where id = 7;
    update patient set note = '${value}' where id = 3;
    commit`);
}

async function hasArrived(world: SmallWorld, value: string): Promise<boolean> {
  const rows = await world.query(`select from patients where note = $1`, [value]);
  return rows.length > 0;
}

async function worldWithSteadyRows(): Promise<SmallWorld> {
  const world = await SmallWorld.open({ seed: newSeed() });
  await world.source.query(`
    update auth_user set name = 'eva' where id <= 5;
    update patient set user_id = 1 where id in (3, 5, 6);
    update instruction set patient_id = 3 where id = 7`);
  return world;
}

test('killed at any step of a batch, it goes on with all of it or nothing, the journal too', async () => {
  const steps = [
    before('the transaction', /^begin$/),
    before('the fence', /tandem\.fence/),
    before('the merge', MERGE),
    before('the locks', /tandem\.lock/, MERGE),
    before('a write of the derive', DERIVE, MERGE),
    before('the journal', /insert into "?public"?\."?status_changes"? /, MERGE),
    before('the commit', /^commit$/, MERGE),
    after('the commit', /^commit$/, MERGE),
  ];
  await using world = await worldWithSteadyRows();
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const settings = { TARGET_URL: proxy.through(world.target.connectionString) };
  let child: TandemProcess = world.run(settings);
  try {
    await world.caughtUp(child);
    await world.watchJournal();
    for (const [i, step] of steps.entries()) {
      const reached = proxy.stopAt(step);
      await change(world, `n${i}`);
      await child.during(reached, step.name);
      await child.stop('SIGKILL');
      expect(await hasArrived(world, `n${i}`), step.name).toBe(step.name === 'after the commit');
      child = world.run(settings);
      await world.caughtUp(child);
      expect(await hasArrived(world, `n${i}`), step.name).toBe(true);
      await world.expectAgreement(step.name);
      await world.expectJournal(step.name);
    }
  } finally {
    await child.stop('SIGKILL');
  }
}, 300_000);

test('killed between commit and confirmation, and right behind that, it repeats nothing', async () => {
  await using world = await worldWithSteadyRows();
  await using proxy = await StatementProxy.start(world.source.connectionString);
  const settings = { SOURCE_URL: proxy.through(world.source.connectionString) };
  let child = world.run(settings);
  try {
    await world.caughtUp(child);
    await world.watchJournal();
    for (const when of ['before', 'after'] as const) {
      const name = `${when} the confirmation`;
      await change(world, `c ${when}`);
      const [end] = await world.source.query('select pg_current_wal_lsn()::text as lsn');
      const lsn = parseLsn(String(end?.['lsn']));
      const isConfirmed = (sql: string) =>
        sql.startsWith('status ') && parseLsn(sql.slice('status '.length)) >= lsn;
      await child.during(proxy.stopAt({ at: isConfirmed, when }), name);
      await child.stop('SIGKILL');
      child = world.run(settings);
      await world.caughtUp(child);
      await world.expectAgreement(name);
      await world.expectJournal(name);
    }
  } finally {
    await child.stop('SIGKILL');
  }
}, 300_000);

test('killed at any step of a job, it is done all the same', async () => {
  const steps = [
    before('a portion is written', DERIVE, TAKE_JOB),
    before('the job is moved on', MOVE_JOB),
    before('the portion is committed', /^commit$/, MOVE_JOB),
    after('the portion is committed', /^commit$/, MOVE_JOB),
  ];
  await using world = await worldWithSteadyRows();
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const settings = {
    TARGET_URL: proxy.through(world.target.connectionString),
    MAX_ROOTS_PER_BATCH: '2',
  };
  let child = world.run(settings);
  try {
    await world.caughtUp(child);
    for (const [i, step] of steps.entries()) {
      const reached = proxy.stopAt(step);
      await world.source.query(`update auth_user set name = 'j${i}' where id = 1`);
      await child.during(reached, step.name);
      await child.stop('SIGKILL');
      child = world.run(settings);
      await world.caughtUp(child);
      await world.expectAgreement(step.name);
    }
  } finally {
    await child.stop('SIGKILL');
  }
}, 300_000);

test('killed at any step of the backfill, under traffic, it ends right', async () => {
  const RECORD = /update tandem\.chunk set rows/;
  const steps = [
    before('the chunks are planned', /insert into tandem\.chunk/),
    after('the chunks are planned', /insert into tandem\.chunk/),
    after('a chunk is copied', /copy "?legacy"?\."?patient"? /),
    before('a chunk is recorded', RECORD),
    before('a chunk is committed', /^commit$/, RECORD),
    after('a chunk is committed', /^commit$/, RECORD),
    before('a table is loaded', /update tandem\.mirror set loaded_at/),
    after('indexes are set aside', /insert into tandem\.set_aside/),
    after('rows are copied in bulk', /copy "?public"?\."?patients"? /),
    before('indexes are made again', /^CREATE INDEX/),
    before('an index is forgotten', /^commit$/, /^CREATE INDEX/),
    before('references are settled', /select child\.id from/),
    before('foreign keys are made again', /add constraint/),
    after('an entity is done', /insert into tandem\.entity .name, derived_at/),
  ];
  await using world = await SmallWorld.open({ seed: newSeed() });
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const settings = { TARGET_URL: proxy.through(world.target.connectionString) };
  await using traffic = startSmallTraffic(world.source, { seed: world.seed, perSecond: 30 });
  for (const step of steps) {
    const reached = proxy.stopAt(step);
    await using child = world.run(settings);
    await child.during(reached, `seed ${world.seed}, ${step.name}`);
    await child.stop('SIGKILL');
  }
  await using child = world.run();
  await traffic.end();
  await world.caughtUp(child);
  await world.expectAgreement();
  expect(await world.query('select name from tandem.set_aside')).toEqual([]);
}, 300_000);
