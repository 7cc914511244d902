import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { freshPair, type TestDatabase } from '../harness/database.ts';
import { expectAgreement, legacyWorld, underTraffic } from '../harness/legacy-world.ts';
import { startProxy } from '../harness/proxy.ts';
import { newSeed } from '../harness/seed.ts';
import { tandem, TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

function settingsFor(source: string, target: string, name: string): Settings {
  return {
    SOURCE_URL: source,
    TARGET_URL: target,
    TANDEM_SLOT: `slot_${name}`,
    TANDEM_PUBLICATION: 'tandem',
    HEARTBEAT_SECONDS: '1',
    CHUNK_ROWS: '1000',
  };
}

test('killed at random moments under traffic, from the first second on, it ends right', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using pair = await freshPair();
  const { source, target } = pair;
  await legacyWorld(source, seed);
  const settings = settingsFor(source.connectionString, target.connectionString, source.name);

  await using traffic = underTraffic(source, seed, 300);
  for (let kills = 0; kills < 8; kills++) {
    await using child = new TandemProcess(['run'], settings);
    await Promise.race([wait(chance.int(600, 4_000)), child.exited]);
    expect(await child.stop('SIGKILL'), `seed ${seed}: ${child.output}`).toBeNull();
  }
  await traffic.end();

  await using child = new TandemProcess(['run'], settings);
  const caughtUp = await tandem(['status', '--caught-up', '--timeout', '60s'], settings);
  expect(caughtUp.code, `seed ${seed}: ${caughtUp.output}${child.output}`).toBe(0);
  expect(await child.stop('SIGTERM')).toBe(0);
  await expectAgreement(source, target);
}, 180_000);

test('connections to either server cut, refused and half open under traffic: it ends right', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using pair = await freshPair();
  const { source, target } = pair;
  await legacyWorld(source, seed);
  await using toSource = await startProxy(addressOf(source));
  await using toTarget = await startProxy(addressOf(target));
  const settings = settingsFor(
    toSource.through(source.connectionString),
    toTarget.through(target.connectionString),
    source.name,
  );

  await using traffic = underTraffic(source, seed, 300);
  await using child = new TandemProcess(['run'], settings);
  await wait(4_000);
  for (let cuts = 0; cuts < 12; cuts++) {
    const proxy = chance.int(0, 1) === 0 ? toSource : toTarget;
    proxy.cut();
    if (chance.int(0, 3) === 0) {
      await proxy.refuse(true);
      await wait(chance.int(200, 1_500));
      await proxy.refuse(false);
    }
    await wait(chance.int(50, 1_200));
  }
  await traffic.end();
  const caughtUp = await tandem(['status', '--caught-up', '--timeout', '90s'], settings);
  expect(caughtUp.code, `seed ${seed}: ${caughtUp.output}${child.output}`).toBe(0);
  expect(await child.stop('SIGTERM')).toBe(0);
  await expectAgreement(source, target);
}, 240_000);

test('SIGTERM under full load ends it with exit code 0 within 5 seconds', async () => {
  await using pair = await freshPair();
  const { source, target } = pair;
  await legacyWorld(source, 7);
  const settings = settingsFor(source.connectionString, target.connectionString, source.name);
  await using _traffic = underTraffic(source, 7, 3_000);
  await using child = new TandemProcess(['run'], settings);
  expect((await tandem(['status', '--caught-up', '--timeout', '60s'], settings)).code).toBe(0);
  const start = performance.now();
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  expect(performance.now() - start).toBeLessThan(5_000);
}, 120_000);

test('SIGTERM ends a backfill within seconds too, though a chunk waits for a lock; it goes on later', async () => {
  await using pair = await freshPair();
  const { source, target } = pair;
  await legacyWorld(source, 7);
  const settings = settingsFor(source.connectionString, target.connectionString, source.name);
  expect((await tandem(['setup'], settings)).code).toBe(0);
  const user = await target.client();
  await user.query('begin; lock table legacy.dispatch_task in access exclusive mode');
  await using child = new TandemProcess(['backfill'], settings);
  const isWaiting = async () =>
    (
      await target.query(
        `select pid from pg_locks where not granted and relation = 'legacy.dispatch_task'::regclass`,
      )
    )[0];
  await child.during(waitFor(isWaiting, { timeoutMs: 30_000, what: 'a chunk' }), 'a chunk waits');
  const start = performance.now();
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  expect(performance.now() - start).toBeLessThan(7_000);
  await user.query('rollback');
  const again = await tandem(['backfill'], settings);
  expect(again.code, again.output).toBe(0);
}, 120_000);

function addressOf(database: TestDatabase): { host: string; port: number } {
  const { hostname, port } = new URL(database.connectionString);
  return { host: hostname, port: Number(port) };
}
