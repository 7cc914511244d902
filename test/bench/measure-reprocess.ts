import { addJobs, openJobs } from '../../consumers/jobs.ts';
import { DERIVED, type Bench } from './bench.ts';
import { execute, valueOf, withClient } from './database.ts';
import { forgetTasks } from './measure-derive.ts';
import { streamDatabase } from './measure-stream.ts';
import {
  compared,
  limited,
  MEMORY_LIMIT_MB,
  perSecond,
  type Line,
  type Measured,
} from './report.ts';
import { Worker } from './run-worker.ts';
import { median, percentile } from './statistics.ts';
import { arrival, distinctTasks, latencies, TASKS, withWriter } from './steady-writes.ts';

const OURS = 'bench_reprocess';
const GOALS = { same: 0.7, changed: 0.4 };
const PER_SECOND = 200;
const LATENCY_GOAL_MS = 1_000;

/**
 * `tandem reprocess --entity task`, beside the first bulk derive of the same rows in the same round:
 * where every row comes out as it is, and where every row has to be written. Then the latency of a
 * stream of single changes, while `reprocess --entity task` is done beside it.
 */
export async function measureReprocess(bench: Bench): Promise<Measured> {
  const { world } = bench;
  const rows = Number(await valueOf(world.targetUrl(DERIVED), 'select count(*) from tasks'));
  const rounds = await bench.rounds('reprocess', async (number) => {
    const url = await world.clone(OURS, DERIVED);
    await forgetTasks(url);
    const derive = await bench.engine(`reprocess-derive-${number}`, url, { kind: 'backfill' });
    await world.clone(OURS, DERIVED);
    const work = { kind: 'jobs' } as const;
    await addTaskJob(url);
    const same = await bench.engine(`reprocess-same-${number}`, url, work);
    // Every page is full, so no row finds room beside its older version.
    await execute(url, `update public.tasks set body = 'another'`);
    await execute(url, 'vacuum full analyze public.tasks');
    await addTaskJob(url);
    const changed = await bench.engine(`reprocess-changed-${number}`, url, work);
    const left = await valueOf(url, `select count(*) from public.tasks where body = 'another'`);
    if (left !== '0') throw new Error(`${left} rows were not derived again`);
    return { derive, same, changed };
  });
  await world.drop(OURS);
  const line = (part: 'same' | 'changed', what: string): Line =>
    compared({
      what: `reprocess: ${what}, beside bulk derive`,
      oursSeconds: median(rounds.map((round) => round[part].seconds)),
      floorSeconds: median(rounds.map(({ derive }) => derive.seconds)),
      describe: perSecond(rows, 'rows'),
      goal: GOALS[part],
    });
  const peaks = rounds.flatMap(({ same, changed }) => [
    same.peakMemoryBytes ?? NaN,
    changed.peakMemoryBytes ?? NaN,
  ]);
  const beside = await besideStream(bench);
  return {
    lines: [
      line('same', 'no row changes'),
      line('changed', 'every row changes'),
      limited({
        what: 'reprocess: peak memory',
        value: Math.max(...peaks) / 1024 / 1024,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
      ...beside.lines,
    ],
    facts: { rows, rounds, beside: beside.facts },
  };
}

async function addTaskJob(url: string): Promise<void> {
  await withClient(url, (client) => addJobs(client, [{ entity: 'task', keys: null }], 'bench'));
}

/** Single changes at a steady rate for as long as the job is open. */
async function besideStream(bench: Bench): Promise<Measured> {
  const { world } = bench;
  bench.say(`latency at ${PER_SECOND} changes a second beside a reprocess`);
  const targetUrl = await streamDatabase(bench);
  await world.settle();
  const { sourceUrl } = world;
  const worker = new Worker(world, {
    ...{ sourceUrl, targetUrl, profile: null },
    work: { kind: 'stream', events: null },
  });
  const ids = await distinctTasks(bench, 100_000);
  const written: number[] = [];
  const writing = withWriter(bench, PER_SECOND, async (write) => {
    const warmUp = ids.splice(0, Math.min(PER_SECOND, ids.length >> 2));
    await write(warmUp, 'before a reprocess');
    await arrival(targetUrl, TASKS, warmUp, 'before a reprocess');
    await execute(targetUrl, 'vacuum analyze public.tasks');
    await addTaskJob(targetUrl);
    const start = performance.now();
    while ((await withClient(targetUrl, openJobs)) > 0 && ids.length > 0) {
      const some = ids.splice(0, 50);
      await write(some, 'beside a reprocess');
      written.push(...some);
    }
    const seconds = (performance.now() - start) / 1000;
    await arrival(targetUrl, TASKS, written, 'beside a reprocess');
    return seconds;
  });
  // Where the stream fails, nothing arrives.
  const seconds = await Promise.race([writing, worker.report.then(() => writing)]);
  const ms = await latencies(bench, targetUrl, TASKS, written);
  const report = await worker.stop();
  const rows = Number(await valueOf(targetUrl, 'select count(*) from tasks'));
  const found = { p50: median(ms), p99: percentile(ms, 0.99), max: Math.max(...ms) };
  return {
    lines: [
      {
        what: `reprocess beside ${Math.round(written.length / seconds)} changes/s`,
        ours: perSecond(rows, 'rows')(seconds),
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
      ...(['p50', 'p99', 'max'] as const).map((name) =>
        limited({
          what: `latency beside a reprocess: ${name}`,
          ...{ value: found[name], unit: 'ms', limit: LATENCY_GOAL_MS },
        }),
      ),
    ],
    facts: { ms: found, changes: written.length, seconds, report },
  };
}
