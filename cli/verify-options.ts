import type { Sample } from '../proof/mirror/sample.ts';
import type { Pacing } from '../proof/mirror/pace.ts';
import type { Flags, Option } from './command.ts';
import { readSince, SINCE_HELP, type Since } from './since.ts';
import { parseDuration } from './units.ts';

export const VERIFY_OPTIONS: readonly Option[] = [
  { flags: '--table <name,…>', help: 'only the mirror of these legacy tables' },
  { flags: '--entity <name,…>', help: 'only these entities, with the tables that they read' },
  {
    flags: '--since <when>',
    help: `only keys whose newest change in the mirror was committed since then: ${SINCE_HELP}`,
  },
  { flags: '--sample <share>', help: 'only a share of the ranges, for example 5%' },
  { flags: '--seed <n>', help: 'which ranges the sample draws (default: by chance; it is shown)' },
  { flags: '--resume', help: 'go on where the last one with these options stopped' },
  { flags: '--rows-per-second <n>', help: 'compare no more rows than that' },
  {
    flags: '--max-load <share>',
    help: 'share of the time that a statement may run on each server (default 1)',
  },
  {
    flags: '--wait <duration>',
    help: 'how long the stream may stand still before ranges that differ are left open (default 30s)',
  },
  {
    flags: '--repair',
    help: 'read rows that differ again from the source, derive what depends on them, and look again',
  },
  { flags: '--report <file>', help: 'write the report to FILE.md and FILE.json' },
  { flags: '--json', help: 'print JSON' },
];

export type VerifyOptions = {
  readonly tables: readonly string[];
  readonly entities: readonly string[];
  readonly since: Since | null;
  readonly share: number | null;
  readonly seed: number | null;
  readonly resume: boolean;
  readonly pacing: Pacing;
  readonly waitMs: number;
  readonly repair: boolean;
  readonly report: string | null;
  readonly json: boolean;
};

/** What was asked for, or what is wrong with it. */
export function readVerifyOptions(flags: Flags): VerifyOptions | string {
  const text = (name: string) => {
    const value = flags[name];
    return typeof value === 'string' ? value : null;
  };
  const names = (name: string) =>
    text(name)
      ?.split(',')
      .map((it) => it.trim()) ?? [];
  const since = text('since');
  const [share, seed, wait] = [text('sample'), text('seed'), text('wait')];
  const [rows, load] = [text('rowsPerSecond'), text('maxLoad')];
  const sinceWhen = since === null ? null : readSince(since, Date.now());
  const sampleShare = share === null ? null : shareOf(share);
  const maxLoad = load === null ? 1 : shareOf(load);
  const waitMs = parseDuration(wait ?? '30s');
  if (since !== null && sinceWhen === null) return `--since ${since} is not ${SINCE_HELP}`;
  if (share !== null && sampleShare === null) {
    return `--sample ${share} is not a share above 0 and up to 1, for example 5%`;
  }
  if (maxLoad === null) return `--max-load ${load} is not a share, for example 0.3`;
  if (seed !== null && !isWhole(seed)) return `--seed ${seed} is not a whole number`;
  if (rows !== null && !(isWhole(rows) && Number(rows) > 0)) {
    return `--rows-per-second ${rows} is not a number of rows, for example 20000`;
  }
  if (waitMs === null) return `--wait ${wait} is not a duration, for example 30s or 5m`;
  if (sinceWhen !== null && sampleShare !== null) return '--since and --sample exclude each other';
  return {
    tables: names('table'),
    entities: names('entity'),
    since: sinceWhen,
    share: sampleShare,
    seed: seed === null ? null : Number(seed),
    resume: flags['resume'] === true,
    pacing: { rowsPerSecond: rows === null ? null : Number(rows), maxLoad },
    waitMs,
    repair: flags['repair'] === true,
    report: text('report'),
    json: flags['json'] === true,
  };
}

export function sampleOf(share: number | null, seed: number): Sample | null {
  return share === null ? null : { share, seed };
}

const isWhole = (text: string) => /^\d{1,9}$/.test(text);

function shareOf(text: string): number | null {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1];
  const share = percent === undefined ? Number(text) : Number(percent) / 100;
  return share > 0 && share <= 1 ? share : null;
}
