import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { startConnect, type Connect } from '../../demo/servers/kafka/connect.ts';
import type { Servers } from '../harness/paths.ts';
import { SmallPath } from '../harness/small-path.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

// The servers of a log fail one after the other, under traffic: the process waits, and ends right.

let broker: Broker;
let connect: Connect;
let open: SmallPath;
let child: TandemProcess;

beforeAll(async () => {
  broker = await startBroker();
  connect = await startConnect({ bootstrap: broker.bootstrap });
  const own = {
    broker: { bootstrap: broker.bootstrap },
    connect: { url: connect.url },
    registry: { url: '', nativeUrl: '' }, // JSON needs none
  };
  const servers: Servers = (name) => Promise.resolve(own[name]);
  open = await SmallPath.open('debezium-json', { seed: 1, servers });
  child = open.run({ LOG_LEVEL: 'debug' });
  await open.world.caughtUp(child, 120_000);
  await open.world.watchJournal();
}, 400_000);

afterAll(async () => {
  await child[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await connect.stop();
  await broker.stop();
}, 120_000);

/** Does what is to happen between changes before and after it. */
async function underTraffic(fault: () => Promise<void>): Promise<void> {
  const traffic = startSmallTraffic(open.world.source, { seed: 7, perSecond: 40 });
  try {
    await wait(500);
    await fault();
    await wait(500);
  } finally {
    await traffic.end();
  }
  await open.expectArrived(child, 120_000);
  await open.world.expectJournal();
}

test('a broker is killed and started again', async () => {
  await underTraffic(async () => {
    const before = child.events('interrupted').length;
    await broker.kill();
    await waitFor(async () => child.events('interrupted').length > before, {
      what: 'it to notice',
      timeoutMs: 60_000,
    });
    await broker.start();
  });
  expect(child.events('interrupted').map(({ error }) => String(error).split(' ')[0])).toContain(
    'KAFKA_UNREACHABLE',
  );
}, 300_000);

test('Connect is killed and started again', async () => {
  await underTraffic(async () => {
    await connect.kill();
    await connect.start();
  });
}, 300_000);
