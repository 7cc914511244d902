import { DERIVED, type Bench } from './bench.ts';
import { valueOf, withClient } from './database.ts';
import { limited, MEMORY_LIMIT_MB, type Measured } from './report.ts';
import { runTandem, type LogLine } from './run-tandem.ts';
import { countTargets, TARGET_TABLES } from './target-copies.ts';
import { EMPTY } from './world.ts';

/** `tandem backfill` of the whole domain, as a user runs it. Its result serves later sections. */
export async function measureBackfill(bench: Bench): Promise<Measured> {
  const { world } = bench;
  bench.say('backfill of the whole domain');
  const url = await world.clone(DERIVED, EMPTY);
  await world.settle();
  const { seconds, peakMemoryBytes, log } = await runTandem(world, ['backfill'], url);
  const rows = await loadedRows(url);
  const targetRows = await withClient(url, (client) => countTargets(client, TARGET_TABLES));
  const size = Number(await valueOf(url, 'select pg_database_size(current_database())'));
  const loadSeconds = millisecondsOf(log, 'mirror loaded') / 1000;
  const engineSeconds = millisecondsOf(log, 'backfill complete') / 1000;
  const memoryMb = peakMemoryBytes === null ? null : peakMemoryBytes / 1024 / 1024;
  const counted = (count: number) => count.toLocaleString('en-US');
  return {
    lines: [
      {
        what: 'backfill of the whole domain',
        ours: `${seconds.toFixed(1)} s: ${counted(rows)} mirror rows in ${loadSeconds.toFixed(1)} s, ${counted(targetRows)} target rows in ${(engineSeconds - loadSeconds).toFixed(1)} s`,
        ...{ floor: '', ratio: null, goal: '', met: null },
      },
      limited({
        what: 'backfill: peak memory',
        value: memoryMb,
        unit: 'MB',
        limit: MEMORY_LIMIT_MB,
      }),
    ],
    facts: {
      ...{ seconds, loadSeconds, deriveSeconds: engineSeconds - loadSeconds },
      ...{ mirrorRows: rows, targetRows, peakMemoryBytes, databaseBytes: size },
      log: log.filter(({ event }) => event !== 'progress'),
    },
  };
}

async function loadedRows(url: string): Promise<number> {
  return Number(await valueOf(url, `select sum(rows) from tandem.chunk where stage = 'load'`));
}

function millisecondsOf(log: readonly LogLine[], event: string): number {
  return Number(log.find((line) => line.event === event)?.['ms'] ?? NaN);
}
