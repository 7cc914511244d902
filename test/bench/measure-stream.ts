import { DERIVED, type Bench } from './bench.ts';
import { execute, valueOf } from './database.ts';
import { floorStream } from './floor-stream.ts';
import {
  compared,
  limited,
  MEMORY_LIMIT_MB,
  perSecond,
  phasesOf,
  plain,
  type Measured,
} from './report.ts';
import { median } from './statistics.ts';
import { checkArrival, drawTasks, writeUpdates } from './task-updates.ts';

/** Both are fresh clones: caches and tables are in the same state at the start. */
export const STREAM = 'bench_stream';
const FLOOR = 'bench_stream_floor';
const GOAL = 0.8;

/**
 * Drains a backlog of single-row updates, against the same writes by the target's server alone.
 * Ours includes connecting and the source's decoding from its slot on.
 */
export async function measureStream(bench: Bench): Promise<Measured> {
  const { world, options } = bench;
  const floorTarget = await world.clone(FLOOR, DERIVED);
  const target = await streamDatabase(bench);
  const rounds = await bench.rounds('stream', async (number) => {
    const ids = await drawTasks(bench, options.updates, number);
    const mark = `round ${number} update`;
    await forgetRead(bench, target);
    const writeSeconds = await writeUpdates(bench, ids, mark);
    await tidy(target);
    const work = { kind: 'stream', events: ids.length } as const;
    const ours = await bench.engine(`stream-${number}`, target, work);
    await checkArrival(bench, target, mark);
    const batchSize = Math.round(ours.events / ours.batches);
    await tidy(floorTarget);
    const floorSeconds = await floorStream(floorTarget, ids, batchSize, mark);
    return { ours, batchSize, floorSeconds, writeSeconds };
  });
  await world.drop(FLOOR);
  const { updates } = options;
  const cpu = median(rounds.map(({ ours }) => (ours.cpuSeconds / ours.events) * 100_000));
  const busy = median(rounds.map(({ ours }) => (ours.cpuSeconds / ours.seconds) * 100));
  return {
    lines: [
      compared({
        what: `stream: ${updates.toLocaleString('en-US')} updates of dispatch_task`,
        oursSeconds: median(rounds.map((round) => round.ours.seconds)),
        floorSeconds: median(rounds.map((round) => round.floorSeconds)),
        describe: perSecond(updates, 'changes'),
        goal: GOAL,
      }),
      plain(
        'stream: CPU of our process',
        `${cpu.toFixed(2)} s per 100,000 changes, ${busy.toFixed(0)} % of a core`,
      ),
      plain('stream: phases', phasesOf(rounds.map(({ ours }) => ours.phaseMs))),
      limited({
        what: 'stream: peak memory',
        value: megabytes(rounds.map(({ ours }) => ours.peakMemoryBytes)),
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: { updates, taskRows: await world.sourceRows('dispatch_task'), rounds },
  };
}

function megabytes(bytes: readonly (number | null)[]): number | null {
  const known = bytes.filter((each) => each !== null);
  return known.length === 0 ? null : Math.max(...known) / 1024 / 1024;
}

let made = false;

/** The database that the slot feeds from here on. */
export async function streamDatabase({ world }: Bench): Promise<string> {
  if (made) return world.targetUrl(STREAM);
  made = true;
  return world.clone(STREAM, DERIVED);
}

/** No dead rows, no dirty pages, fresh statistics. */
async function tidy(url: string): Promise<void> {
  await execute(url, 'vacuum analyze legacy.dispatch_task');
  await execute(url, 'vacuum analyze public.tasks');
}

/** The source need not decode again what an earlier round has read. */
async function forgetRead({ world }: Bench, target: string): Promise<void> {
  const position = await valueOf(target, 'select position from tandem.position');
  await valueOf(
    world.sourceUrl,
    `select count(pg_replication_slot_advance(slot_name, $1::pg_lsn)) from pg_replication_slots
     where confirmed_flush_lsn < $1::pg_lsn`,
    [position],
  );
  await execute(world.sourceUrl, 'vacuum analyze public.dispatch_task');
}
