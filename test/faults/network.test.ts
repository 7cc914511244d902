import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { startProxy } from '../harness/proxy.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallWorld } from '../harness/small-world.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { StatementProxy } from '../harness/statement-proxy.ts';
import type { TestDatabase } from '../harness/database.ts';

/** Loaded before the program: a host whose clock is set back by hours, again and again, then forth. */
const JUMPING_CLOCK = `
  const real = Date.now;
  let turn = 0;
  setInterval(() => turn++, 1500).unref();
  const hours = () => (turn % 16 < 15 ? -(turn % 16) : 24);
  Date.now = () => real() + hours() * 3600000;`;

function addressOf(database: TestDatabase): { host: string; port: number } {
  const { hostname, port } = new URL(database.connectionString);
  return { host: hostname, port: Number(port) };
}

test('cut when the commit has arrived and its answer has not, nothing is done twice', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  await using proxy = await StatementProxy.start(world.target.connectionString);
  await using child = world.run({ TARGET_URL: proxy.through(world.target.connectionString) });
  await world.caughtUp(child);
  await world.watchJournal();
  for (const when of ['before', 'after'] as const) {
    const reached = proxy.stopAt({ at: /^commit$/, behind: /as mirror/, when });
    await world.source.query(`update instruction set status = (status + 1) % 6`);
    const held = await child.during(reached, `${when} the commit`);
    held.cut();
    await world.caughtUp(child);
    await world.expectAgreement(when);
    await world.expectJournal(when);
  }
  const errors = child.events('interrupted').map((facts) => String(facts['error']).split(' ')[0]);
  expect(errors).toEqual(['TARGET_UNREACHABLE', 'TARGET_UNREACHABLE']);
}, 300_000);

test('slow, silent and cut networks under traffic: it ends right', async () => {
  const seed = newSeed();
  const chance = new Random(seed);
  await using world = await SmallWorld.open({ seed });
  await using toSource = await startProxy(addressOf(world.source));
  await using toTarget = await startProxy(addressOf(world.target));
  await using traffic = startSmallTraffic(world.source, { seed, perSecond: 50 });
  await using child = world.run({
    SOURCE_URL: toSource.through(world.source.connectionString),
    TARGET_URL: toTarget.through(world.target.connectionString),
  });
  await child.logged('setup', ({ step }) => step === 'slot');
  for (const kind of ['slow', 'silent', 'cut', 'silent', 'slow', 'cut'] as const) {
    await child.during(pause(chance.int(200, 1_500)), kind);
    const proxy = chance.pick([toSource, toTarget]);
    if (kind === 'slow') proxy.delay(chance.int(20, 80));
    if (kind === 'silent') proxy.halfOpen(true);
    await child.during(pause(chance.int(200, 1_500)), kind);
    // Whoever was silent is not heard of again: its connections end, and new ones work.
    if (kind !== 'slow') proxy.cut();
    proxy.halfOpen(false);
    proxy.delay(0);
  }
  await traffic.end();
  await world.caughtUp(child);
  expect(await child.stop('SIGTERM'), child.output).toBe(0);
  await world.expectAgreement();
}, 300_000);

test('a host whose clock is set back and forth: heartbeats, jobs and connections do not mind', async () => {
  await using world = await SmallWorld.open({ seed: newSeed() });
  const settings = {
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(JUMPING_CLOCK)}`,
    MAX_ROOTS_PER_BATCH: '3',
  };
  await using child = world.run(settings);
  await world.caughtUp(child);
  let oldest = 0;
  // Idle but for the heartbeats, through every jump.
  for (const end = performance.now() + 7_000; performance.now() < end; await pause(100)) {
    const [row] = await world.query(
      `select extract(epoch from clock_timestamp() - heartbeat_at) as age,
         extract(epoch from heartbeat_lag) as lag from tandem.position`,
    );
    oldest = Math.max(oldest, Number(row?.['age']), Number(row?.['lag']));
  }
  expect(oldest).toBeLessThan(5);
  await using traffic = startSmallTraffic(world.source, { seed: world.seed, perSecond: 100 });
  await pause(3_000);
  await traffic.end();
  await world.caughtUp(child);
  expect(child.events('interrupted'), child.output).toEqual([]);
  await world.expectAgreement();
}, 300_000);
