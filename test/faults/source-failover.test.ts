import { expect, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { freshDatabase, openDatabase, type TestDatabase } from '../harness/database.ts';
import { binariesOf, type ServerVersion } from '../harness/other-servers.ts';
import { startProxy } from '../harness/proxy.ts';
import { seededRandom } from '../harness/seed.ts';
import { expectSmallAgreement } from '../harness/small-agreement.ts';
import { smallTraffic } from '../harness/source-traffic.ts';
import {
  expectCaughtUp,
  expectNewCopy,
  expectRefusal,
  smallWorld,
  startFilled,
} from '../harness/source-world.ts';
import { startStandby, STANDBY_SLOT, type Standby } from '../harness/standby.ts';
import { TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

const startPrimary = async (version: ServerVersion) =>
  startPostgres({ binaries: await binariesOf(version), settings: { fsync: 'off' } });

const sourceOn = (server: PostgresServer) =>
  freshDatabase({ server: server.connectionString(), goesWithServer: true });

const positionIn = async (target: TestDatabase) => {
  const [row] = await target.query('select timeline, position from tandem.position');
  return { timeline: row?.['timeline'], position: String(row?.['position']) };
};

/** The slot of the primary is one of the standby. Its worker comes round every half minute when idle. */
async function untilSynchronised(standby: Standby, slot: string, by: 'worker' | 'hand') {
  await using copy = openDatabase(standby.server.connectionString(), 'postgres');
  await waitFor(
    async () => {
      if (by === 'hand') await copy.query('select pg_sync_replication_slots()');
      const found = await copy.query(
        'select from pg_replication_slots where slot_name = $1 and synced and not temporary',
        [slot],
      );
      return found.length === 1;
    },
    { what: 'the slot to be synchronised', timeoutMs: 60_000 },
  );
}

const standbyOf = async (primary: PostgresServer, version: ServerVersion, settings = {}) =>
  startStandby(primary, { binaries: await binariesOf(version), settings });

test('a promoted standby that has the slot goes on under traffic, and nothing is lost', async () => {
  const random = seededRandom();
  await using primary = await startPrimary(17);
  await using standby = await standbyOf(primary, 17, { sync_replication_slots: 'on' });
  await using source = await sourceOn(primary);
  // The stream shows nothing that the standby has not received.
  await source.query(`alter system set synchronized_standby_slots = '${STANDBY_SLOT}'`);
  await source.query('select pg_reload_conf()');
  await using target = await freshDatabase();
  await using proxy = await startProxy(primary);
  const settings: Settings = {
    ...(await smallWorld(source, target)),
    SOURCE_URL: proxy.through(source.connectionString),
  };
  await using child = await startFilled(settings, source, random);
  await untilSynchronised(standby, settings['TANDEM_SLOT'] ?? '', 'worker');

  const writing = smallTraffic(source, random, { count: 1_000_000 }).catch(
    () => 'the primary is gone',
  );
  const before = await positionIn(target);
  await waitFor(async () => (await positionIn(target)).position !== before.position, {
    what: 'changes to arrive',
  });
  await primary.kill();
  expect(await writing).toBe('the primary is gone');
  await standby.promote();
  proxy.redirect(standby.server);

  await using successor = openDatabase(standby.server.connectionString(), source.name);
  await smallTraffic(successor, random);
  await expectCaughtUp(settings, child);
  await expectSmallAgreement(successor, target);
  expect(await positionIn(target)).toMatchObject({ timeline: 2 });
  expect(child.output.match(/TIMELINE_CHANGED/g)).toHaveLength(1);
  expect(await child.stop()).toBe(0);
}, 180_000);

test('a promoted standby that lacks what the target has is refused, and a new copy ends right', async () => {
  const random = seededRandom();
  await using primary = await startPrimary(17);
  await using standby = await standbyOf(primary, 17);
  await using source = await sourceOn(primary);
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await using child = await startFilled(settings, source, random);
  await untilSynchronised(standby, settings['TANDEM_SLOT'] ?? '', 'hand');
  await standby.cutOff();
  await smallTraffic(source, random);
  await expectCaughtUp(settings, child);
  expect(await child.stop()).toBe(0);
  await primary.kill();
  await standby.promote();

  await using successor = openDatabase(standby.server.connectionString(), source.name);
  const moved = { ...settings, SOURCE_URL: successor.connectionString };
  await using refused = new TandemProcess(['run'], moved);
  await expectRefusal(refused, { code: 'SOURCE_BEHIND', next: 'tandem setup --new-slot' });
  expect(refused.output).toContain('left=');
  await expectNewCopy(moved, successor, target);
}, 180_000);

/** Before PostgreSQL 17 a slot does not go over. */
test('a promoted standby without the slot is refused by name, and a new copy ends right', async () => {
  const random = seededRandom();
  await using primary = await startPrimary(15);
  await using standby = await standbyOf(primary, 15);
  await using source = await sourceOn(primary);
  await using target = await freshDatabase();
  const settings = await smallWorld(source, target);
  await using child = await startFilled(settings, source, random);
  await primary.kill();
  await standby.promote();

  await using successor = openDatabase(standby.server.connectionString(), source.name);
  const moved = { ...settings, SOURCE_URL: successor.connectionString };
  await using refused = new TandemProcess(['run'], moved);
  await expectRefusal(refused, { code: 'SLOT_MISSING', next: 'tandem setup --new-slot' });
  await child.stop();
  await expectNewCopy(moved, successor, target);
}, 180_000);
