import type { Bench } from './bench.ts';
import { withClient } from './database.ts';
import { streamDatabase } from './measure-stream.ts';
import { limited, type Measured } from './report.ts';
import { Worker } from './run-worker.ts';
import { median, percentile } from './statistics.ts';
import { arrival, distinctTasks, latencies, TASKS, withWriter } from './steady-writes.ts';

const PER_SECOND = 200;
const WARM_UP_SECONDS = 2;
const SECONDS = 10;
const GOALS_MS = { p50: 10, p99: 50 };

/**
 * From commit to commit, by both servers' own records of commit times (`track_commit_timestamp`):
 * nothing is polled meanwhile. One machine, hence one clock.
 *
 * A server notes the time just before it flushes the commit to disk. So the source's flush is in
 * the latency and the target's is not; `flushMs` says what such a flush takes.
 */
export async function measureLatency(bench: Bench): Promise<Measured> {
  const { world } = bench;
  bench.say(`latency at ${PER_SECOND} changes a second`);
  const targetUrl = await streamDatabase(bench);
  await world.settle();
  const { sourceUrl } = world;
  const work = { kind: 'stream', events: null } as const;
  const profile = bench.profileFile('latency');
  const worker = new Worker(world, { sourceUrl, targetUrl, work, profile });
  const ids = await distinctTasks(bench, PER_SECOND * (WARM_UP_SECONDS + SECONDS));
  const warmUp = ids.splice(0, Math.min(PER_SECOND * WARM_UP_SECONDS, ids.length >> 2));
  const written = withWriter(bench, PER_SECOND, async (write) => {
    await write(warmUp, 'warm-up');
    await arrival(targetUrl, TASKS, warmUp, 'warm-up');
    const rate = await write(ids, 'latency');
    await arrival(targetUrl, TASKS, ids, 'latency');
    return rate;
  });
  // Where the stream fails, nothing arrives.
  const rate = await Promise.race([written, worker.report.then(() => written)]);
  const ms = await latencies(bench, targetUrl, TASKS, ids);
  const report = await worker.stop();
  const found = {
    ...{ p50: median(ms), p90: percentile(ms, 0.9), p99: percentile(ms, 0.99) },
    max: Math.max(...ms),
  };
  const what = `latency at ${Math.round(rate)} changes/s`;
  return {
    lines: [
      limited({ what: `${what}: p50`, value: found.p50, unit: 'ms', limit: GOALS_MS.p50 }),
      limited({ what: `${what}: p99`, value: found.p99, unit: 'ms', limit: GOALS_MS.p99 }),
      {
        what: `${what}: max`,
        ours: `${found.max.toFixed(1)} ms`,
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
    ],
    facts: {
      ...{ ms: found, changes: ms.length, changesPerSecond: rate },
      flushMs: await flushMs(targetUrl),
      ...report,
    },
  };
}

/** What a commit of a single row takes, seen by a client: nearly all of it is the flush. */
async function flushMs(url: string): Promise<number> {
  return withClient(url, async (client) => {
    await client.query('create schema if not exists bench');
    await client.query('create table bench.flush (n int)');
    const ms: number[] = [];
    for (let i = 0; i < 100; i++) {
      await client.query('begin; insert into bench.flush values (1)');
      const start = performance.now();
      await client.query('commit');
      ms.push(performance.now() - start);
    }
    return median(ms);
  });
}
