import { execFileSync } from 'node:child_process';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { createWorkFolder } from '../../demo/servers/work-folder.ts';
import { serverUser } from '../../demo/servers/system-user.ts';
import { Random } from '../../demo/legacy/random.ts';
import { freshDatabase } from '../harness/database.ts';
import { smallDisk } from '../harness/small-disk.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { waitFor } from '../harness/wait-for.ts';

/** Durable as a server is by default, since it is going to crash; and quick to fill. */
const SETTINGS = {
  min_wal_size: '32MB',
  max_wal_size: '1GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  max_connections: '40',
  max_wal_senders: '0',
  wal_level: 'replica',
  deadlock_timeout: '1s',
};

async function worldOn(server: PostgresServer, seed: number): Promise<SmallWorld> {
  const target = await freshDatabase({ server: server.connectionString() });
  return SmallWorld.open({ seed, target });
}

const failedWith = (code: string) => (facts: Record<string, unknown>) =>
  String(facts['error']).startsWith(code);

test('the target restarts, crashes and is away under traffic: it waits and goes on', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using server = await startPostgres({ settings: SETTINGS });
  await using world = await worldOn(server, seed);
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 50 });
  await using child = world.run();
  // From the first moment at which it waits for a server: the backfill is interrupted too.
  await child.logged('setup', ({ step }) => step === 'slot');
  for (const kind of ['immediate', 'fast', 'away', 'immediate', 'fast'] as const) {
    await child.during(pause(chance.int(300, 2_500)), kind);
    if (kind === 'away') {
      await server.kill();
      await child.logged('interrupted', failedWith('TARGET_UNREACHABLE'));
      await child.during(pause(2_000), kind);
      await server.start();
    } else {
      await server.restart(kind);
    }
  }
  await traffic.end();
  await world.caughtUp(child);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  await world.expectAgreement();
}, 300_000);

/** Where no disk can be mounted, the server says that it is full without being so. */
const REFUSE = `
  create function refuse() returns trigger language plpgsql as $$ begin
    raise exception using errcode = '53100', message = 'could not extend file';
  end $$;
  do $$ declare name text; begin
    for name in select format('legacy.%I', relname) from pg_class
      where relnamespace = 'legacy'::regnamespace and relkind = 'r'
    loop
      execute format('create trigger refuse before insert or update on %s for each statement
        execute function refuse()', name);
    end loop;
  end $$`;

test('the disk of the target is full: it says so, waits, and goes on when there is room', async () => {
  const seed = newSeed();
  await using disk = await smallDisk(64);
  await using server = await startPostgres({ settings: SETTINGS });
  await using world = await worldOn(server, seed);
  if (disk !== null) {
    // The database is on the small disk, the log of the server is not.
    await using admin = await freshDatabase({ server: server.connectionString() });
    await admin.query(`create tablespace small location '${disk.folder}'`);
    const { name } = world.target;
    await admin.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${name}'`,
    );
    await admin.query(`alter database ${name} set tablespace small`);
  }
  await using child = world.run();
  await world.caughtUp(child);
  if (disk === null) await world.query(REFUSE);
  else await disk.fill();
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 100 });
  const first = await child.logged('interrupted', failedWith('TARGET_FULL'));
  expect(first['hint']).toContain('disk of the target is full');
  await child.logged('interrupted', (facts) => Number(facts['attempt']) >= 3);
  if (disk === null) await world.query('drop function refuse cascade');
  else await disk.makeRoom();
  await traffic.end();
  await world.caughtUp(child);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  await world.expectAgreement();
}, 300_000);

/** Moves the WAL of a server that is stopped to another place. */
async function moveWal(dataDirectory: string, place: string): Promise<void> {
  const wal = join(dataDirectory, 'pg_wal');
  execFileSync('cp', ['-a', wal, place]);
  await rm(wal, { recursive: true });
  await symlink(join(place, 'pg_wal'), wal);
}

test('the disk of the WAL of the target is full, so the server goes down: it waits for it', async () => {
  const seed = newSeed();
  const password = 'secret';
  await using disk = await smallDisk(80);
  const folder = await createWorkFolder(serverUser());
  await using _rest = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const place = { dataDirectory: join(folder, 'data'), password, settings: SETTINGS };
  if (disk !== null) {
    const made = await startPostgres(place);
    await made.stop();
    await moveWal(place.dataDirectory, disk.folder);
  }
  await using server = await startPostgres(place);
  await using world = await worldOn(server, seed);
  await using child = world.run();
  await world.caughtUp(child);
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 50 });
  if (disk === null) {
    await server.kill();
  } else {
    await disk.fill();
    await waitFor(() => isOutOfWal(world), { what: 'the server to run out of WAL' });
  }
  await child.logged('interrupted', (facts) => Number(facts['attempt']) >= 3);
  await disk?.makeRoom();
  await server.kill(); // it may have gone down by itself
  await server.start();
  await traffic.end();
  await world.caughtUp(child);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  await world.expectAgreement();
}, 300_000);

/** Uses up a segment of the WAL; true when the server broke down over it. */
async function isOutOfWal(world: SmallWorld): Promise<boolean> {
  try {
    await world.query(`create table if not exists public.wal_user (); drop table public.wal_user;
      select pg_switch_wal()`);
    return false;
  } catch {
    return true;
  }
}
