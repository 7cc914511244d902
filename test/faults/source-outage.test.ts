import { expect, test } from 'vitest';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { seededRandom } from '../harness/seed.ts';
import { expectSmallAgreement } from '../harness/small-agreement.ts';
import { smallTraffic } from '../harness/source-traffic.ts';
import { expectCaughtUp, smallWorld, startFilled } from '../harness/source-world.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

const interruptions = (child: TandemProcess) =>
  child.output.match(/"event":"interrupted"/g)?.length ?? 0;

async function isRead(source: TestDatabase): Promise<boolean> {
  const active = await source.query('select from pg_replication_slots where active');
  return active.length === 1;
}

/**
 * How long it may be away is not a matter of this test: the pauses grow to thirty seconds and stay
 * there (test/unit/pgoutput-decisions.test.ts), and each attempt starts from what the target holds.
 */
test('a source that restarts, crashes, ends the walsender or stays away for a while is waited for', async () => {
  const random = seededRandom();
  await using server = await startPostgres(); // with fsync: what it committed must survive its crash
  await using source = await freshDatabase({
    server: server.connectionString(),
    goesWithServer: true,
  });
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await using child = await startFilled(settings, source, random);

  const endWalsender = () =>
    source.query(
      `select pg_terminate_backend(active_pid) from pg_replication_slots where active_pid is not null`,
    );
  const stayAway = async () => {
    await server.kill();
    const before = interruptions(child);
    await waitFor(async () => interruptions(child) >= before + 4, {
      what: 'several attempts to reach the source',
      timeoutMs: 30_000,
    });
    await server.start();
  };
  for (const trouble of [
    () => server.restart('fast'),
    () => server.restart('immediate'),
    endWalsender,
    stayAway,
  ]) {
    await waitFor(() => isRead(source), { what: 'the stream', timeoutMs: 60_000 });
    const before = interruptions(child);
    const writing = smallTraffic(source, random, { count: 1_000_000 }).catch(() => 'interrupted');
    await trouble();
    await waitFor(async () => interruptions(child) > before, {
      what: 'the stream to be interrupted',
      timeoutMs: 30_000,
    });
    if (trouble === endWalsender) await server.restart('fast'); // nothing else ends the writing
    expect(await writing).toBe('interrupted');
    await smallTraffic(source, random, { count: 20 });
  }
  await expectCaughtUp(settings, child);
  await expectSmallAgreement(source, target);
  expect(child.output).toContain('SOURCE_UNREACHABLE');
  expect(await child.stop()).toBe(0);
}, 180_000);

test('transactions that stay open for long hold up the setup, say so, and never the stream', async () => {
  const random = seededRandom();
  await using source = await freshDatabase({ on: 'source' });
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await smallTraffic(source, random);

  const first = await source.client();
  await first.query(`begin; insert into office values (1001, 'open during the setup')`);
  await using child = new TandemProcess(['run'], settings);
  await waitFor(async () => child.output.includes('slot waits for open transactions'), {
    what: 'the setup to name who it waits for',
    timeoutMs: 30_000,
  });
  // Begins before the slot exists and goes on through the copy into the stream.
  const second = await source.client();
  await second.query('begin');
  await second.query('select pg_current_xact_id()');
  await first.query('commit');
  await waitFor(async () => child.output.includes('slot waits'), { what: 'the setup' });
  await second.query(`insert into office values (1002, 'open during the copy')`);
  await second.query('commit');

  const third = await source.client();
  await third.query(`begin; insert into office values (1003, 'open during the stream')`);
  await smallTraffic(source, random, { count: 50 });
  await expectCaughtUp(settings, child); // the others do not wait for it
  await third.query('update office set parent_id = 1001 where id = 1003');
  await smallTraffic(source, random, { count: 50 });
  await third.query('commit');
  await expectCaughtUp(settings, child);
  await expectSmallAgreement(source, target);
  const [row] = await target.query(`select count(*)::int as it from offices where name ~ 'open'`);
  expect(row?.['it']).toBe(3);
  expect(await child.stop()).toBe(0);
}, 120_000);
