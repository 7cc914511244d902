import { expect, test } from 'vitest';
import { Bench, version } from '../harness/apply-bench.ts';
import { StatementProxy } from '../harness/statement-proxy.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

/** So much sooner does the source give up a reader that is frozen. */
const impatient = (world: SmallWorld) =>
  world.source.query(`alter database ${world.source.name} set wal_sender_timeout = '2s'`);

/** What they have said last of the stream. */
function areStreamingAndWaiting([first, second]: readonly [TandemProcess, TandemProcess]): boolean {
  const at = (child: TandemProcess, event: string) => {
    const time = child.events(event).at(-1)?.['time'];
    return typeof time === 'string' ? time : '';
  };
  const streams = (child: TandemProcess) => at(child, 'streaming') > at(child, 'interrupted');
  return streams(first) && !streams(second) && at(second, 'interrupted') !== '';
}

test('two processes started at once: one loads and streams, the other waits and takes over', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await using traffic = startSmallTraffic(world.source, { seed: world.seed, perSecond: 30 });
  await using one = world.run();
  await using other = world.run();
  const [streaming, waiting] = await waitFor(
    async () => [[one, other] as const, [other, one] as const].find(areStreamingAndWaiting),
    { what: `one to stream: ${one.output}${other.output}`, timeoutMs: 30_000 },
  );
  // Who streams need not be who has loaded: between the two, both may begin.
  for (const { error } of [one, other].flatMap((child) => child.events('interrupted'))) {
    expect(error).toMatch(/BACKFILL_RUNNING|SLOT_IN_USE/);
  }
  const derived = [one, other].flatMap((child) => child.events('derived'));
  expect(new Set(derived.map(({ entity }) => entity)).size).toBe(derived.length);
  await streaming.stop('SIGKILL');
  await waiting.logged('streaming');
  await traffic.end();
  await world.caughtUp(waiting);
  await world.expectAgreement();
}, 300_000);

test('a process that loads and was taken for dead begins nothing more until it has the target again', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const reached = proxy.stopAt({ at: /copy "?public"?\."?patients"? /, when: 'before' });
  await using child = world.run({ TARGET_URL: proxy.through(world.target.connectionString) });
  const held = await child.during(reached, 'the bulk derive');
  const ended = `select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and application_name = 'tandem backfill lock'`;
  expect(await world.query(ended)).toHaveLength(1);
  held.release();
  const { error } = await child.logged('interrupted');
  expect(error).toContain('TARGET_UNREACHABLE');
  expect(child.events('derived').map(({ entity }) => entity)).not.toContain('order');
  await world.caughtUp(child);
  await world.expectAgreement();
}, 300_000);

test('frozen in a batch, overtaken by another process and awake again, it writes nothing and says why', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await impatient(world);
  await using proxy = await StatementProxy.start(world.target.connectionString);
  await using frozen = world.run({ TARGET_URL: proxy.through(world.target.connectionString) });
  await world.caughtUp(frozen);
  await world.watchJournal();
  // It has read the changes, and has begun no more than a transaction.
  const reached = proxy.stopAt({ at: /^begin$/, when: 'before' });
  await world.source.query(`update instruction set status = (status + 1) % 6`);
  const begun = await frozen.during(reached, 'a batch');
  frozen.signal('SIGSTOP');
  begun.release();
  await using other = world.run();
  await other.logged('streaming');
  await world.source.query(`update instruction set status = (status + 1) % 6, notes = 'newer'`);
  await world.caughtUp(other);
  frozen.signal('SIGCONT');
  // Held before a batch it finds the position taken; before a look for jobs, the slot.
  const said = Promise.race([frozen.exited, frozen.logged('interrupted')]);
  await frozen.during(said, 'a word of why');
  expect(frozen.output).toMatch(/POSITION_TAKEN|SLOT_IN_USE/);
  await world.caughtUp(other);
  await world.expectAgreement();
  await world.expectJournal();
}, 300_000);

test('frozen behind the fence, it holds the position until the target ends its session', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await impatient(world);
  await using proxy = await StatementProxy.start(world.target.connectionString);
  await using frozen = world.run({ TARGET_URL: proxy.through(world.target.connectionString) });
  await world.caughtUp(frozen);
  const reached = proxy.stopAt({ at: /^commit$/, behind: /as mirror/, when: 'before' });
  await world.source.query(`update patient set note = 'frozen'`);
  const held = await frozen.during(reached, 'a batch');
  frozen.signal('SIGSTOP');
  await using other = world.run();
  // What idle_in_transaction_session_timeout does after five minutes.
  const idle = `from pg_stat_activity where datname = current_database()
    and application_name = 'tandem apply' and state = 'idle in transaction'`;
  await waitFor(
    async () => {
      const [row] = await world.query(
        `select count(*) as waiting from pg_stat_activity where application_name like 'tandem %'
           and datname = current_database() and wait_event_type = 'Lock'`,
      );
      return row?.['waiting'] === '1';
    },
    { what: 'the other process to wait for the frozen one', timeoutMs: 30_000 },
  );
  await world.query(`select pg_terminate_backend(pid) ${idle}`);
  await other.logged('streaming');
  await world.caughtUp(other);
  held.release();
  frozen.signal('SIGCONT');
  // Its session is gone: it comes back, and finds the slot taken.
  await frozen.logged('interrupted', (facts) => String(facts['error']).startsWith('SLOT_IN_USE'));
  await world.caughtUp(other);
  await world.expectAgreement();
}, 300_000);

test('a job or a wake of a process that was overtaken writes nothing', async () => {
  await using bench = await Bench.open();
  await using old = await bench.applier();
  await bench.apply(
    old,
    bench.write('create', 'auth_user', { id: 1, name: 'eva' }, version(100, 1)),
    bench.write('create', 'patient', { id: 1, user_id: 1 }, version(100, 2)),
    bench.write('create', 'patient', { id: 2, user_id: 9 }, version(100, 3)),
  );
  await bench.query(`insert into tandem.job (entity, reason) values ('patient', 'test');
    update patients set name = 'stale';
    insert into profiles (id, legacy_id, name) values (tandem.uuid_of('profile', 9::bigint), 9, 'late')`);
  const before = await bench.query('select * from tandem.job, patients');
  await using _young = await bench.applier();
  await expect(old.applier.runJob()).rejects.toThrow('POSITION_TAKEN');
  await expect(old.applier.wakeWaiting()).rejects.toThrow('POSITION_TAKEN');
  expect(await bench.query('select * from tandem.job, patients')).toEqual(before);
});
