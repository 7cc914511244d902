import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Random } from '../../demo/legacy/random.ts';
import { freshPrefix, kafkaClient } from '../harness/kafka-stack.ts';
import { newSeed } from '../harness/seed.ts';
import { SmallPath } from '../harness/small-path.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import { StatementProxy } from '../harness/statement-proxy.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

/** A group rebalances once a second for so long. */
const STORM_SECONDS = Number(process.env['STORM_SECONDS'] ?? 60);

async function stopAll(children: readonly TandemProcess[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop('SIGKILL')));
}

describe.each([2, 4])('%i processes share the partitions', (count) => {
  test('killed and frozen at random moments under traffic, they end right together', async () => {
    const seed = newSeed();
    const chance = new Random(seed);
    await using open = await SmallPath.open('debezium-json', { seed });
    const { world } = open;
    const children = [open.run()];
    try {
      for (const child of children) await world.caughtUp(child, 120_000);
      await world.watchJournal();
      while (children.length < count) children.push(open.run());
      await Promise.all(children.map((child) => child.logged('kafka.assigned', hasSome, 60_000)));
      await using traffic = startSmallTraffic(world.source, { seed, perSecond: 60 });
      for (let faults = 0; faults < 5; faults++) {
        const at = chance.int(0, count - 1);
        const child = children[at];
        if (chance.chance(0.5)) {
          await child?.stop('SIGKILL');
          children[at] = open.run();
        } else {
          child?.signal('SIGSTOP');
          await wait(chance.int(200, 5_000));
          child?.signal('SIGCONT');
        }
        await wait(chance.int(0, 2_000));
      }
      await traffic.end();
      const [first] = children;
      if (first !== undefined) await open.expectArrived(first, 120_000);
      await world.expectJournal();
      for (const child of children) expect(await child.stop('SIGTERM'), child.output).toBe(0);
    } finally {
      await stopAll(children);
    }
  }, 300_000);
});

const hasSome = ({ partitions }: Record<string, unknown>) => Number(partitions) > 0;

test('a group that rebalances each second goes on, and ends right', async () => {
  const seed = newSeed();
  await using open = await SmallPath.open('debezium-json', { seed });
  const { world, settings } = open;
  const children = [open.run(), open.run()];
  try {
    for (const child of children) await child.logged('streaming', undefined, 120_000);
    await using traffic = startSmallTraffic(world.source, { seed, perSecond: 40 });
    const kafka = kafkaClient(settings['KAFKA_BROKERS'] ?? '');
    const admin = kafka.admin();
    await admin.connect();
    const topics = (await admin.listTopics()).filter((name) =>
      name.startsWith(`${settings['KAFKA_TOPIC_PREFIX']}.public.`),
    );
    await admin.disconnect();
    const end = performance.now() + STORM_SECONDS * 1_000;
    let rebalances = 0;
    while (performance.now() < end) {
      // A member that takes its share away, does nothing with it, and goes.
      const intruder = kafka.consumer({ groupId: settings['KAFKA_GROUP'] ?? '' });
      await intruder.connect();
      await intruder.subscribe({ topics });
      const isIn = new Promise((resolve) => intruder.on(intruder.events.GROUP_JOIN, resolve));
      await intruder.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
      await Promise.race([isIn, wait(5_000)]);
      await intruder.disconnect();
      rebalances += 2;
    }
    await traffic.end();
    for (const child of children) {
      expect(child.events('kafka.assigned').length, child.output).toBeGreaterThan(rebalances / 8);
      expect(child.hasEnded, child.output).toBe(false);
    }
    const [first] = children;
    if (first !== undefined) await open.expectArrived(first, 120_000);
  } finally {
    await stopAll(children);
  }
}, 300_000);

test('a zombie that wakes up with a batch in hand, when another one has its partitions, writes nothing and joins again', async () => {
  await using open = await SmallPath.open('debezium-json', { seed: newSeed() });
  const { world } = open;
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const url = proxy.through(world.target.connectionString);
  await using zombie = open.run({ TARGET_URL: url, LOG_LEVEL: 'debug' });
  await world.caughtUp(zombie, 120_000);
  await world.watchJournal();
  const reached = proxy.stopAt({ at: /^commit$/, behind: /as mirror/, when: 'before' });
  await world.source.query(`update patient set note = 'in its hand'`);
  const held = await zombie.during(reached, 'a batch');
  zombie.signal('SIGSTOP');
  // What idle_in_transaction_session_timeout does after five minutes.
  await world.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'tandem apply'`);
  await using other = open.run();
  // It gets all partitions once the session of the frozen one is over.
  await open.expectRow(`patients where note = 'in its hand'`);
  await world.source.query(`update patient set note = 'while it slept';
    update instruction set status = (status + 1) % 6`);
  await open.expectRow(`patients where note = 'while it slept'`);
  const joined = zombie.events('kafka.assigned').length;
  held.release();
  zombie.signal('SIGCONT');
  const isBack = async () => zombie.events('kafka.assigned').length > joined;
  await zombie.during(
    waitFor(isBack, { what: 'the zombie to join again', timeoutMs: 60_000 }),
    'back in the group',
    61_000,
  );
  await open.expectArrived(other);
  await world.expectJournal();
}, 300_000);

test('a consumer that is slower than one of another group writes nothing twice, and goes on from there', async () => {
  await using open = await SmallPath.open('debezium-json', { seed: newSeed() });
  const { world } = open;
  await using proxy = await StatementProxy.start(world.target.connectionString);
  const url = proxy.through(world.target.connectionString);
  await using slow = open.run({ TARGET_URL: url, LOG_LEVEL: 'debug', KAFKA_GROUP: freshPrefix() });
  await world.caughtUp(slow, 120_000);
  await world.watchJournal();
  const reached = proxy.stopAt({ at: /tandem\.fence_log/, when: 'before' });
  await world.source.query(`update instruction set status = (status + 1) % 6`);
  const held = await slow.during(reached, 'a batch');
  await using fast = open.run({ KAFKA_GROUP: freshPrefix() });
  await world.source.query(`update instruction set status = (status + 1) % 6, notes = 'newer'`);
  await open.expectArrived(fast);
  held.release();
  await slow.logged('partition taken');
  await world.source.query(`update instruction set status = (status + 1) % 6, notes = 'newest'`);
  await open.expectArrived(slow);
  await world.expectJournal();
}, 300_000);
