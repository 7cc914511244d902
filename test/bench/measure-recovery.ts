import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { textRows } from '../../connectors/postgres/connection.ts';
import type { Bench } from './bench.ts';
import { rowsOf, withClient } from './database.ts';
import { streamDatabase } from './measure-stream.ts';
import type { Measured } from './report.ts';
import { commandOf } from './run-tandem.ts';
import { median } from './statistics.ts';

const PER_SECOND = 1000;
const KILLS = 5;
const TIMEOUT_MS = 120_000;

/**
 * `tandem run` beside steady writes, killed (SIGKILL) again and again: seconds from the kill until
 * a new process, started at once, has all in the target that the source had committed when asked.
 */
export async function measureRecovery(bench: Bench): Promise<Measured> {
  bench.say(`recovery from SIGKILL at ${PER_SECOND} changes a second`);
  const target = await streamDatabase(bench);
  const writing = new AbortController();
  const written = writeSteadily(bench, writing.signal);
  const seconds: number[] = [];
  let child = start(bench, target);
  try {
    await caughtUp(bench, target);
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(500 + 300 * kill);
      const from = performance.now();
      child.kill('SIGKILL');
      await once(child, 'exit');
      child = start(bench, target);
      await caughtUp(bench, target);
      seconds.push((performance.now() - from) / 1000);
    }
  } finally {
    writing.abort();
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  const rate = await written;
  return {
    lines: [
      {
        what: `recovery from SIGKILL at ${Math.round(rate)} changes/s`,
        ours: `median ${median(seconds).toFixed(1)} s, worst ${Math.max(...seconds).toFixed(1)} s`,
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
    ],
    facts: { changesPerSecond: rate, seconds },
  };
}

function start({ world }: Bench, targetUrl: string): ChildProcess {
  const { program, args, options } = commandOf(world, ['run'], targetUrl);
  const child = spawn(program, args, { ...options, stdio: 'ignore' });
  world.adopt(child);
  return child;
}

/** Ten rows a transaction, on a fixed schedule; returns the changes a second that were reached. */
async function writeSteadily({ world }: Bench, signal: AbortSignal): Promise<number> {
  const ids = (await rowsOf(world.sourceUrl, 'select id from public.dispatch_task')).map(
    ([id]) => id,
  );
  return withClient(world.sourceUrl, async (client) => {
    const begin = performance.now();
    let changes = 0;
    while (!signal.aborted) {
      const early = begin + (changes * 1000) / PER_SECOND - performance.now();
      if (early > 0) await pause(early);
      const some = Array.from({ length: 10 }, (_, i) => ids[(changes * 7 + i * 131) % ids.length]);
      const { rowCount } = await client.query({
        name: 'write',
        text: `update public.dispatch_task set text = 'n ' || $2 where id = any($1::int[])`,
        values: [some, String(changes)],
      });
      changes += rowCount ?? 0;
    }
    return changes / ((performance.now() - begin) / 1000);
  });
}

async function caughtUp({ world }: Bench, targetUrl: string): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  await withClient(world.sourceUrl, (source) =>
    withClient(targetUrl, async (target) => {
      const [end] = await textRows(source, 'select pg_current_wal_insert_lsn()');
      for (;;) {
        const rows = await textRows(
          target,
          'select from tandem.position where position::pg_lsn >= $1::pg_lsn',
          [end?.[0] ?? null],
        );
        if (rows.length > 0) return;
        if (performance.now() > deadline) throw new Error('the stream did not catch up');
        await pause(20);
      }
    }),
  );
}
