import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { withClient } from './database.ts';
import { streamDatabase } from './measure-stream.ts';
import { limited, MEMORY_LIMIT_MB, type Measured } from './report.ts';
import { Worker } from './run-worker.ts';
import { arrival, distinctTasks, TASKS } from './steady-writes.ts';

/** Sessions that commit side by side. */
const WRITERS = 2;
/** So often a writer looks at the clock. */
const SLICE_MS = 200;

/**
 * Transactions of one row each, `--per-second` of them for `--seconds`, while the stream runs. Where
 * it does not keep up, what it makes per second is the changes over the time until the last arrived.
 */
export async function measureSmallTransactions(bench: Bench): Promise<Measured> {
  const { world, options } = bench;
  const { seconds, perSecond } = options;
  const wanted = `${perSecond.toLocaleString('en-US')} transactions/s`;
  bench.say(`${wanted} for ${seconds} s`);
  const targetUrl = await streamDatabase(bench);
  await world.settle();
  const { sourceUrl } = world;
  const work = { kind: 'stream', events: null } as const;
  const profile = bench.profileFile('small-transactions');
  const worker = new Worker(world, { sourceUrl, targetUrl, work, profile });
  const ids = await distinctTasks(bench, 20_000);
  const last = ids.splice(0, 1);
  // The stream is there before the first of them.
  await write(bench, last, 'small begin');
  await arrival(targetUrl, TASKS, last, 'small begin');
  const start = performance.now();
  const shares = Array.from({ length: WRITERS }, (_, i) => ids.filter((_, n) => n % WRITERS === i));
  const written = await Promise.race([
    Promise.all(shares.map((share) => writeSteadily(bench, share, perSecond / WRITERS))),
    worker.report.then(() => []),
  ]);
  const transactions = written.reduce((sum, count) => sum + count, 0);
  const writeSeconds = (performance.now() - start) / 1000;
  await write(bench, last, 'small end');
  await arrival(targetUrl, TASKS, last, 'small end', seconds * 20_000 + 60_000);
  const allSeconds = (performance.now() - start) / 1000;
  const report = await worker.stop();
  const rate = (of: number) => `${Math.round(transactions / of).toLocaleString('en-US')}/s`;
  const behind = allSeconds - writeSeconds;
  const perBatch = Math.round(report.events / report.batches);
  return {
    lines: [
      {
        what: `${wanted}: written, and applied until the last had arrived`,
        ours: `${rate(writeSeconds)}, ${rate(allSeconds)}`,
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
      limited({ what: `${wanted}: caught up after`, value: behind, unit: 's', limit: 2 }),
      {
        what: `${wanted}: changes in a batch; CPU of our process`,
        ours: `${perBatch}; ${((report.cpuSeconds / allSeconds) * 100).toFixed(0)} % of a core`,
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
      limited({
        what: `${wanted}: peak memory`,
        value: report.peakMemoryBytes === null ? null : report.peakMemoryBytes / 1024 / 1024,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: { transactions, writeSeconds, allSeconds, ...report },
  };
}

/** Commits single-row updates on a schedule; returns how many. The server loops, not the client. */
async function writeSteadily(
  bench: Bench,
  ids: readonly number[],
  perSecond: number,
): Promise<number> {
  const aSlice = Math.max(1, Math.round((perSecond * SLICE_MS) / 1000));
  return withClient(bench.world.sourceUrl, async (client) => {
    await client.query('set synchronous_commit = off');
    const start = performance.now();
    let done = 0;
    while (performance.now() - start < bench.options.seconds * 1000) {
      const early = start + (done * 1000) / perSecond - performance.now();
      if (early > 0) await pause(early);
      await client.query(`
        do $$
        declare ids integer[] := '{${sliceOf(ids, done, aSlice).join(',')}}';
        begin
          for i in 1 .. ${aSlice} loop
            update public.dispatch_task set checked = not coalesce(checked, false)
            where id = ids[i];
            commit;
          end loop;
        end $$`);
      done += aSlice;
    }
    return done;
  });
}

const sliceOf = (ids: readonly number[], from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => ids[(from + i) % ids.length] ?? 0);

async function write(bench: Bench, ids: readonly number[], mark: string): Promise<void> {
  await withClient(bench.world.sourceUrl, (client) =>
    client.query('update public.dispatch_task set text = $2 where id = any($1)', [ids, mark]),
  );
}
