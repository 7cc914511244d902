import { parseArgs } from 'node:util';

const SECTIONS = [
  'backfill',
  'load',
  'derive',
  'reprocess',
  'verify-target',
  'verify',
  'stream',
  'small-transactions',
  'latency',
  'native',
  'recovery',
  'relay',
  'soak',
  'decode',
  'kafka',
  'consumers',
] as const;
export type Section = (typeof SECTIONS)[number];

const SCALES = ['tiny', 'small', 'medium', 'full'] as const;

export type Options = {
  readonly scale: (typeof SCALES)[number];
  readonly sections: readonly Section[];
  /** Where the JSON goes; null: nowhere. */
  readonly json: string | null;
  /** Updates in a backlog of the stream. */
  readonly updates: number;
  /** Small transactions are written for so long, */
  readonly seconds: number;
  /** and so many of them. */
  readonly perSecond: number;
  /** How long the soak takes. */
  readonly minutes: number;
  /** How often each measurement and its floor are repeated; medians count. */
  readonly rounds: number;
  /** A folder for CPU profiles of the engine; null: none are taken. */
  readonly profile: string | null;
};

/** They have to be asked for: the one takes as long as it is told, the others start Kafka. */
const ASKED: readonly Section[] = ['relay', 'soak', 'kafka', 'consumers'];
const UNASKED = SECTIONS.filter((section) => !ASKED.includes(section));

const UPDATES = { tiny: 2000, small: 20_000, medium: 100_000, full: 200_000 } as const;

export const USAGE = `npm run bench -- [options]
  --scale tiny|small|medium|full   rows of the synthetic legacy system (default medium)
  --only ${SECTIONS.join(',')}   measure only these
  --updates N                      updates in the backlog that the stream drains
  --seconds N                      how long small transactions are written (default 10)
  --per-second N                   so many of them (default 20000)
  --minutes N                      how long the soak takes (default 60); only with --only soak
  --rounds N                       repetitions; the median counts (default 3)
  --json FILE                      write everything measured to a file
  --profile FOLDER                 write CPU profiles of the engine there, and print their top`;

/** @throws Error whose message says what is wrong with the command line */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scale: { type: 'string', default: 'medium' },
      only: { type: 'string', default: UNASKED.join(',') },
      updates: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      'per-second': { type: 'string', default: '20000' },
      minutes: { type: 'string', default: '60' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const scale = oneOf('--scale', SCALES, values.scale);
  const wanted = values.only.split(',').map((name) => oneOf('--only', SECTIONS, name.trim()));
  return {
    scale,
    sections: SECTIONS.filter((section) => wanted.includes(section)),
    json: values.json ?? null,
    updates: whole('--updates', values.updates ?? String(UPDATES[scale])),
    seconds: whole('--seconds', values.seconds),
    perSecond: whole('--per-second', values['per-second']),
    minutes: whole('--minutes', values.minutes),
    rounds: whole('--rounds', values.rounds),
    profile: values.profile ?? null,
  };
}

function oneOf<T extends string>(option: string, known: readonly T[], text: string): T {
  const found = known.find((name) => name === text);
  if (found === undefined) throw new Error(`${option}: ${text} is not one of ${known.join(', ')}`);
  return found;
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option}: ${text} is no number`);
  return value;
}
