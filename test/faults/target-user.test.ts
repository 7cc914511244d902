import type pg from 'pg';
import { expect, test } from 'vitest';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { waitFor } from '../harness/wait-for.ts';

/** `order 3` is patient 3's, who is user 3 at office 2. */
async function steadyWorld(): Promise<SmallWorld> {
  const world = await SmallWorld.open({ seed: newSeed() });
  await world.source.query(`
    update auth_user set name = 'eva' where id <= 5;
    update patient set user_id = id, office_id = 2 where id <= 5;
    update instruction set patient_id = id where id <= 5`);
  return world;
}

/** A session of the target waits for one of these backends. */
const waitsFor = (world: SmallWorld, user: pg.Client) =>
  waitFor(
    async () => {
      const { processID } = user as unknown as { readonly processID: number };
      const rows = await world.query(
        `select from pg_stat_activity where $1::int = any(pg_blocking_pids(pid))
           and application_name like 'tandem%'`,
        [processID],
      );
      return rows.length > 0;
    },
    { what: 'the engine to wait for the lock of a user', timeoutMs: 20_000 },
  );

const patient = (n: number) => `tandem.uuid_of('patient', ${n}::bigint)`;
const profile = (n: number) => `tandem.uuid_of('profile', ${n}::bigint)`;

test('a deadlock with a transaction of a user ends with both of them done', async () => {
  await using world = await steadyWorld();
  // Long enough for the user to close the circle before the engine looks for one.
  await world.query(`alter database ${world.target.name} set deadlock_timeout = '3s'`);
  await using child = world.run();
  await world.caughtUp(child);
  const user = await world.target.client();
  await user.query(`set deadlock_timeout = '1h'; begin`);
  await user.query(`select from patients where id = ${patient(3)} for update`);
  // The engine writes the profile, then the patient, whose name it is too.
  await world.source.query(`update auth_user set name = 'ada' where id = 3`);
  await waitsFor(world, user);
  await user.query(`update profiles set colour = 'red' where id = ${profile(3)}`);
  await user.query('commit');
  const interrupted = await child.logged('interrupted');
  expect(interrupted['error']).toContain('TARGET_BUSY');
  expect(interrupted['error']).toContain('40P01');
  await world.caughtUp(child);
  await world.expectAgreement();
  const [row] = await world.query(`select name, colour from profiles where id = ${profile(3)}`);
  expect(row).toEqual({ name: 'ada', colour: 'red' });
}, 300_000);

test('a lock that a user holds for long holds the stream up, and the source waits', async () => {
  await using world = await steadyWorld();
  // A source that would give up a reader that says nothing for so long.
  await world.source.query(`alter database ${world.source.name} set wal_sender_timeout = '2s'`);
  await using child = world.run();
  await world.caughtUp(child);
  const user = await world.target.client();
  await user.query('begin');
  await user.query(`select from patients where id = ${patient(3)} for update`);
  await world.source.query(`update patient set note = 'waits' where id = 3`);
  await waitsFor(world, user);
  await using traffic = startSmallTraffic(world.source, { seed: world.seed, perSecond: 50 });
  const age = `select extract(epoch from clock_timestamp() - updated_at) as age from tandem.position`;
  await waitFor(async () => Number((await world.query(age))[0]?.['age']) > 6, {
    what: 'the position to stand still for 6 seconds',
    timeoutMs: 20_000,
  });
  expect(child.events('interrupted'), child.output).toEqual([]);
  await user.query('commit');
  await traffic.end();
  await world.caughtUp(child);
  expect(child.events('interrupted'), child.output).toEqual([]);
  await world.expectAgreement();
}, 300_000);

test('time limits that the role brings along do not end a batch or an idle session', async () => {
  await using world = await steadyWorld();
  for (const limit of [
    'statement_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'transaction_timeout',
    'idle_session_timeout',
  ]) {
    await world.query(
      `alter role current_user in database ${world.target.name} set ${limit} = 300`,
    );
  }
  await using child = world.run();
  // Sessions of the test itself have these limits too, and each needs a moment.
  await waitFor(async () => child.events('streaming').length > 0, {
    what: 'the stream to begin',
    timeoutMs: 30_000,
  });
  const user = await world.target.client();
  await user.query(`select set_config(name, '0', false) from pg_settings where name ~ '_timeout$'
    and context = 'user'`);
  await user.query(`begin; select from patients where id = ${patient(3)} for update`);
  await world.source.query(`update patient set note = 'takes long' where id = 3`);
  await waitsFor(world, user);
  await user.query('select pg_sleep(1)');
  await user.query('commit');
  await world.caughtUp(child);
  expect(child.events('interrupted'), child.output).toEqual([]);
  await world.expectAgreement();
}, 300_000);

test('an index dropped and a unique one added: rows that break it are set apart, the rest goes on', async () => {
  await using world = await steadyWorld();
  await using child = world.run();
  await world.caughtUp(child);
  await world.query('drop index patients_name; drop index orders_number_lower');
  await world.source.query(`update patient set note = 'own ' || id`);
  await world.caughtUp(child);
  await world.query('create unique index one_note on patients (note) where note is not null');
  await world.source.query(`begin;
    update patient set note = 'same' where id in (3, 4, 5);
    update patient set note = 'other' where id = 2;
    update office set name = 'still alive' where id = 2; commit`);
  await world.caughtUp(child);
  const refused = await world.query(
    `select error_class, message from tandem.quarantine where entity = 'patient'`,
  );
  expect(refused).toHaveLength(2);
  expect(refused[0]?.['error_class']).toBe('TARGET_REFUSED_ROW');
  expect(refused[0]?.['message']).toContain('one_note');
  const [office] = await world.query(
    `select name from offices where id = tandem.uuid_of('office', 2::bigint)`,
  );
  expect(office).toEqual({ name: 'still alive' });
  const notes = await world.query(`select note from patients where note in ('same', 'other')`);
  expect(notes.map((row) => row['note']).sort()).toEqual(['other', 'same']);
  // Without the constraint, and touched again, they are as they should be.
  await world.query('drop index one_note');
  await world.source.query(`update patient set note = note || '!' where id in (3, 4, 5)`);
  await world.caughtUp(child);
  await world.expectAgreement();
}, 300_000);

test('a column or a table of the target that is gone stops its entity, by name; the others go on', async () => {
  await using world = await steadyWorld();
  await using child = world.run();
  await world.caughtUp(child);
  // At its start it would refuse a target that lacks a table.
  await child.logged('streaming');
  await world.query('alter table offices drop column name; drop table messages');
  await world.source.query(`begin;
    update office set name = 'nobody writes this' where id = 2;
    update record set body = 'nor this';
    update auth_user set name = 'goes on' where id = 3; commit`);
  await world.caughtUp(child);
  const stopped = await world.query(
    `select name, reason from tandem.entity where state = 'stopped' order by name`,
  );
  expect(stopped.map((row) => row['name'])).toEqual(['message', 'office']);
  expect(stopped[0]?.['reason']).toContain('messages');
  expect(stopped[1]?.['reason']).toMatch(/offices.*name/);
  expect(child.events('entity stopped')).toHaveLength(2);
  const [row] = await world.query(`select name from patients where id = ${patient(3)}`);
  expect(row).toEqual({ name: 'goes on' });
  expect(
    await world.query(`select from tandem.quarantine where entity in ('office', 'message')`),
  ).toEqual([]);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
}, 300_000);

test('a privilege that is taken away ends it with its name; granted again, it goes on', async () => {
  await using world = await steadyWorld();
  await using first = world.run();
  await world.caughtUp(first);
  expect(await first.stop('SIGTERM')).toBe(0);
  const role = `writer_${world.target.name}`;
  await world.query(`create role ${role} login bypassrls password 'secret'`);
  try {
    await world.query(`grant all on database ${world.target.name} to ${role};
      do $$ declare name text; begin
        foreach name in array array['tandem', 'legacy', 'public'] loop
          execute format('alter schema %I owner to ${role}', name);
        end loop;
        for name in select format('%I.%I', n.nspname, relname) from pg_class c
          join pg_namespace n on n.oid = relnamespace
          where nspname in ('tandem', 'legacy', 'public') and relkind = 'r'
        loop
          execute format('alter table %s owner to ${role}', name);
        end loop;
        for name in select oid::regprocedure::text from pg_proc where pronamespace = 'tandem'::regnamespace
        loop
          execute format('alter function %s owner to ${role}', name);
        end loop;
      end $$`);
    const url = new URL(world.target.connectionString);
    url.username = role;
    url.password = 'secret';
    const settings = { TARGET_URL: url.href };
    await using child = world.run(settings);
    await world.source.query(`update patient set note = 'before' where id = 3`);
    await world.caughtUp(child);
    await world.query(
      `alter table patients owner to current_user; revoke all on patients from ${role}`,
    );
    await world.source.query(`update patient set note = 'after' where id = 3`);
    expect(await child.during(child.exited, 'the end')).toBe(1);
    expect(child.output).toContain('PRIVILEGE_MISSING');
    await world.query(`alter table patients owner to ${role}`);
    await using again = world.run(settings);
    await world.caughtUp(again);
    await world.expectAgreement();
  } finally {
    await world.query(
      `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
    );
  }
}, 300_000);
