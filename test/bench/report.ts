import { median } from './statistics.ts';

/** A line of the table: what the engine did, beside what the servers can do at most. */
export type Line = {
  readonly what: string;
  readonly ours: string;
  readonly floor: string;
  /** Ours as a share of the floor's speed; null where there is no floor. */
  readonly ratio: number | null;
  readonly goal: string;
  readonly met: boolean | null;
};

/** What a section of the benchmark found: lines for people, everything for the JSON. */
export type Measured = { readonly lines: readonly Line[]; readonly facts: object };

/** Resident memory that our process may take at most. */
export const MEMORY_LIMIT_MB = 300;

const HEADER = ['what', 'ours', 'floor', 'ratio', 'goal', 'met'];

export function formatTable(lines: readonly Line[]): string {
  const cells = [HEADER, ...lines.map(cellsOf)];
  const widths = HEADER.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const text = cells.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [text[0], rule, ...text.slice(1)].join('\n');
}

function cellsOf({ what, ours, floor, ratio, goal, met }: Line): string[] {
  const verdict = met === null ? '' : met ? 'yes' : 'no';
  return [what, ours, floor, ratio === null ? '' : ratio.toFixed(2), goal, verdict];
}

/** A line with a floor: `ours` and `floor` in seconds for the same work. */
export function compared(line: {
  readonly what: string;
  readonly oursSeconds: number;
  readonly floorSeconds: number;
  readonly describe: (seconds: number) => string;
  readonly goal: number;
}): Line {
  const { what, oursSeconds, floorSeconds, describe, goal } = line;
  const ratio = floorSeconds / oursSeconds;
  return {
    what,
    ours: describe(oursSeconds),
    floor: describe(floorSeconds),
    ratio,
    goal: `>= ${goal}`,
    met: ratio >= goal,
  };
}

/** A line that is judged by a limit of its own. */
export function limited(line: {
  readonly what: string;
  readonly value: number | null;
  readonly unit: string;
  readonly limit: number;
}): Line {
  const { what, value, unit, limit } = line;
  return {
    what,
    ours: value === null ? 'unknown' : `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`,
    floor: '',
    ratio: null,
    goal: `< ${limit} ${unit}`,
    met: value === null ? null : value < limit,
  };
}

/** `412,000 rows/s (2.3 s)`. */
export const perSecond =
  (count: number, unit: string) =>
  (seconds: number): string =>
    `${Math.round(count / seconds).toLocaleString('en-US')} ${unit}/s (${seconds.toFixed(2)} s)`;

/** A line that is not judged. */
export const plain = (what: string, ours: string): Line => ({
  ...{ what, ours },
  ...{ floor: '', ratio: null, goal: '', met: null },
});

/** Phases of one batch run beside those of another, so their sum may be more than the whole. */
export function phasesOf(rounds: readonly Readonly<Record<string, number>>[]): string {
  const names = Object.keys(rounds[0] ?? {});
  return names
    .map((name) => ({ name, ms: median(rounds.map((phases) => phases[name] ?? 0)) }))
    .sort((a, b) => b.ms - a.ms)
    .map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(2)} s`)
    .join(', ');
}
