import { test } from 'vitest';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { seededRandom } from '../harness/seed.ts';
import { smallTraffic } from '../harness/source-traffic.ts';
import { expectNewCopy, expectRefusal, smallWorld, startFilled } from '../harness/source-world.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

// What the server says of a slot and what follows from it is in capture-slot.test.ts; here a whole
// process meets it.

/** A walsender that was ended needs a moment to let go, and Tandem comes back at once. */
async function dropUnderItsReader(source: TestDatabase, slot: string): Promise<void> {
  await waitFor(
    async () => {
      await source.query(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
        [slot],
      );
      return source.query('select pg_drop_replication_slot($1)', [slot]).then(
        () => true,
        () => false,
      );
    },
    { what: 'the slot to be dropped', timeoutMs: 30_000 },
  );
}

test('a slot dropped under the stream, then made anew by somebody, is refused; a new copy ends right', async () => {
  const random = seededRandom();
  await using source = await freshDatabase({ on: 'source' });
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  const slot = settings['TANDEM_SLOT'] ?? '';
  await using child = await startFilled(settings, source, random);
  await dropUnderItsReader(source, slot);
  await smallTraffic(source, random);
  await expectRefusal(child, { code: 'SLOT_MISSING', next: 'tandem setup --new-slot' });

  await source.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await smallTraffic(source, random);
  await using again = new TandemProcess(['run'], settings);
  await expectRefusal(again, { code: 'SLOT_RECREATED', next: 'tandem setup --new-slot' });
  await expectNewCopy(settings, source, target);
}, 120_000);

test('a slot that the source gave up for want of space is refused; a new copy ends right', async () => {
  const random = seededRandom();
  await using server = await startPostgres({
    settings: { fsync: 'off', max_wal_size: '32MB', min_wal_size: '32MB' },
  });
  await using source = await freshDatabase({
    server: server.connectionString(),
    goesWithServer: true,
  });
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await using child = await startFilled(settings, source, random);
  await child.stop();

  await source.query(`alter system set max_slot_wal_keep_size = '1MB'`);
  await source.query('select pg_reload_conf()');
  await source.query('create table elsewhere (body text)');
  const slots = `select from pg_replication_slots where wal_status = 'lost'`;
  await waitFor(
    async () => {
      await source.query(
        `insert into elsewhere select repeat(md5(i::text), 50) from generate_series(1, 9000) as i`,
      );
      await source.query('select pg_switch_wal()');
      await source.query('checkpoint');
      return (await source.query(slots)).length === 1;
    },
    { what: 'the slot to be lost', timeoutMs: 30_000 },
  );
  await smallTraffic(source, random);
  await using refused = new TandemProcess(['run'], settings);
  await expectRefusal(refused, { code: 'SLOT_LOST', next: 'max_slot_wal_keep_size' });
  await source.query('alter system reset max_slot_wal_keep_size');
  await source.query('select pg_reload_conf()');
  await expectNewCopy(settings, source, target);
}, 120_000);
