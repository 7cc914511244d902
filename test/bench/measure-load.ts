import type { Bench } from './bench.ts';
import { execute, valueOf, withClient } from './database.ts';
import { mirrorCopies, type MirrorCopy } from './mirror-copies.ts';
import { copyBytes, copyByDriver, copyByPsql, psqlVersion, type PlainCopy } from './plain-copy.ts';
import { compared, type Line, type Measured } from './report.ts';
import { median } from './statistics.ts';
import { EMPTY } from './world.ts';

const OURS = 'bench_load';
const FLOOR = 'bench_load_floor';
const GOAL = 0.7;

/**
 * Stage 1, source to mirror, against COPY piped into COPY, table after table, into the same tables
 * with the same indexes: by psql, and over two sessions that stay open, which is harder to reach
 * where tables are small. Ours includes planning the chunks, recording them and `analyze`.
 */
export async function measureLoad(bench: Bench): Promise<Measured> {
  const { world } = bench;
  const copies = await withClient(world.sourceUrl, mirrorCopies);
  const psql = psqlVersion();
  let bytes = 0;
  for (const { out } of copies) bytes += await copyBytes(world.sourceUrl, out);
  const rounds = await bench.rounds('load', async (number) => {
    const target = await world.clone(OURS, EMPTY);
    const ours = await bench.engine(`load-${number}`, target, { kind: 'load' });
    const rows = await countRows(target, copies);
    const sessions = await floor(bench, copies, copyByDriver, rows);
    const piped = psql === null ? null : await floor(bench, copies, copyByPsql, rows);
    return { rows, ours, floorSeconds: { sessions, psql: piped } };
  });
  await world.drop(OURS);
  await world.drop(FLOOR);
  const rows = rounds[0]?.rows ?? 0;
  const line = (what: string, floorSeconds: readonly number[]): Line =>
    compared({
      what,
      oursSeconds: median(rounds.map((round) => round.ours.seconds)),
      floorSeconds: median(floorSeconds),
      describe: (seconds) =>
        `${Math.round(rows / seconds).toLocaleString('en-US')} rows/s, ${(bytes / seconds / 1e6).toFixed(1)} MB/s (${seconds.toFixed(2)} s)`,
      goal: GOAL,
    });
  const piped = rounds.flatMap(({ floorSeconds }) => floorSeconds.psql ?? []);
  const sessions = rounds.map(({ floorSeconds }) => floorSeconds.sessions);
  return {
    lines: [
      ...(psql === null ? [] : [line('stage 1: source to mirror, beside psql | psql', piped)]),
      line('stage 1: source to mirror, beside COPY in open sessions', sessions),
    ],
    facts: { rows, copyBytes: bytes, tables: copies.length, psql, rounds },
  };
}

async function floor(
  bench: Bench,
  copies: readonly MirrorCopy[],
  copy: PlainCopy,
  rows: number,
): Promise<number> {
  const url = await floorDatabase(bench, copies);
  await bench.world.settle();
  const seconds = await copy(bench.world, url, copies);
  const found = await countRows(url, copies);
  if (found !== rows) throw new Error(`${rows} rows loaded, ${found} by the floor`);
  return seconds;
}

/** Without a version of the row to begin with, which the engine sets when it plans a table. */
async function floorDatabase(bench: Bench, copies: readonly MirrorCopy[]): Promise<string> {
  const url = await bench.world.clone(FLOOR, EMPTY);
  const defaults = copies.map(
    ({ twin }) => `alter table ${twin} alter column _commit_lsn set default '0/1'`,
  );
  await execute(url, defaults.join(';\n'));
  return url;
}

async function countRows(url: string, copies: readonly MirrorCopy[]): Promise<number> {
  const counts = copies.map(({ twin }) => `(select count(*) from ${twin})`);
  return Number(await valueOf(url, `select ${counts.join(' + ')}`));
}
