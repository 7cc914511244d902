import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOwnLog, type OwnLog } from '../harness/own-log.ts';
import { SmallPath } from '../harness/small-path.ts';
import { startSmallTraffic } from '../harness/small-traffic.ts';
import type { TandemProcess } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';

// The servers of a log fail one after the other, under traffic: the process waits, and ends right.

let log: OwnLog;
let open: SmallPath;
let child: TandemProcess;

beforeAll(async () => {
  log = await startOwnLog('debezium-json');
  open = await SmallPath.open('debezium-json', { seed: 1, servers: log.servers });
  child = open.run({ LOG_LEVEL: 'debug' });
  await open.world.caughtUp(child, 120_000);
  await open.world.watchJournal();
}, 400_000);

afterAll(async () => {
  await child[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
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
    await log.broker.kill();
    await waitFor(async () => child.events('interrupted').length > before, {
      what: 'it to notice',
      timeoutMs: 60_000,
    });
    await log.broker.start();
  });
  expect(child.events('interrupted').map(({ error }) => String(error).split(' ')[0])).toContain(
    'KAFKA_UNREACHABLE',
  );
}, 300_000);

test('Connect is killed and started again', async () => {
  await underTraffic(async () => {
    await log.connect?.kill();
    await log.connect?.start();
  });
}, 300_000);

test('the leader of all partitions hangs for longer than a request may take', async () => {
  const broken = child.events('interrupted').length;
  const unanswered = () => child.events('broker does not answer');
  const before = unanswered().length;
  await underTraffic(async () => {
    log.broker.pause();
    try {
      await waitFor(async () => unanswered().length > before, {
        what: 'it to say so',
        timeoutMs: 60_000,
      });
    } finally {
      log.broker.resume();
    }
  });
  expect(unanswered()[before]?.['broker']).toBe(log.broker.bootstrap);
  for (const { code } of child.events('interrupted').slice(broken)) {
    expect(code).toBe('KAFKA_UNREACHABLE');
  }
}, 300_000);
