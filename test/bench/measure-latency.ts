import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { rowsOf, valueOf, withClient } from './database.ts';
import { streamDatabase } from './measure-stream.ts';
import { limited, type Measured } from './report.ts';
import { Worker } from './run-worker.ts';
import { median, percentile, randomNumbers } from './statistics.ts';

const PER_SECOND = 200;
const WARM_UP_SECONDS = 2;
const SECONDS = 10;
const GOALS_MS = { p50: 10, p99: 50 };
const ARRIVAL_TIMEOUT_MS = 60_000;

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
  const written = withWriter(bench, async (write) => {
    await write(warmUp, 'warm-up');
    await arrival(targetUrl, warmUp, 'warm-up');
    const rate = await write(ids, 'latency');
    await arrival(targetUrl, ids, 'latency');
    return rate;
  });
  // Where the stream fails, nothing arrives.
  const rate = await Promise.race([written, worker.report.then(() => written)]);
  const ms = await latencies(bench, targetUrl, ids);
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

/** Each row once, so that its last transaction is the one of its update. */
async function distinctTasks(bench: Bench, count: number): Promise<number[]> {
  const rows = await rowsOf(
    bench.world.sourceUrl,
    'select id from public.dispatch_task order by id',
  );
  const ids = rows.map(([id]) => Number(id));
  const random = randomNumbers(0);
  for (let i = ids.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [ids[i], ids[j]] = [ids[j] ?? 0, ids[i] ?? 0];
  }
  return ids.slice(0, count);
}

/** Writes single-row transactions on a fixed schedule; returns the rate that was reached. */
type Write = (ids: readonly number[], mark: string) => Promise<number>;

async function withWriter<T>(bench: Bench, use: (write: Write) => Promise<T>): Promise<T> {
  return withClient(bench.world.sourceUrl, (client) =>
    use(async (ids, mark) => {
      const start = performance.now();
      for (const [i, id] of ids.entries()) {
        const early = start + (i * 1000) / PER_SECOND - performance.now();
        if (early > 0) await pause(early);
        await client.query({
          name: 'write',
          text: 'update public.dispatch_task set text = $2, checked = not coalesce(checked, false) where id = $1',
          values: [id, mark],
        });
      }
      return ids.length / ((performance.now() - start) / 1000);
    }),
  );
}

async function arrival(targetUrl: string, ids: readonly number[], mark: string): Promise<void> {
  const deadline = performance.now() + ARRIVAL_TIMEOUT_MS;
  for (;;) {
    const missing = await valueOf(
      targetUrl,
      `select count(*) from public.tasks
       where legacy_task_id = any($1::int[]) and body is distinct from $2`,
      [ids.map(String), mark],
    );
    if (missing === '0') return;
    if (performance.now() > deadline) throw new Error(`${missing} updates did not arrive`);
    await pause(200);
  }
}

async function latencies(
  bench: Bench,
  targetUrl: string,
  ids: readonly number[],
): Promise<number[]> {
  const committed = await commitTimes(bench.world.sourceUrl, 'dispatch_task', 'id', ids);
  const visible = await commitTimes(targetUrl, 'tasks', 'legacy_task_id', ids);
  return [...committed].map(([id, ms]) => (visible.get(id) ?? NaN) - ms);
}

async function commitTimes(
  url: string,
  table: string,
  key: string,
  ids: readonly number[],
): Promise<Map<string, number>> {
  const rows = await rowsOf(
    url,
    `select ${key}, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000
     from public.${table} where ${key} = any($1::int[])`,
    [ids.map(String)],
  );
  return new Map(rows.map(([id, ms]) => [id ?? '', Number(ms ?? NaN)]));
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
