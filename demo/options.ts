import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

const SCALES = ['small', 'medium', 'full'] as const;
const ROUTES = ['direct', 'kafka', 'relay'] as const;

/** What the demo was asked for. */
export type DemoOptions = {
  readonly scale: (typeof SCALES)[number];
  /** Length of the live phase. */
  readonly seconds: number;
  /** Everything stays up until Ctrl-C, to be looked at. */
  readonly keep: boolean;
  readonly seed: number;
  /** How the changes travel: from the slot into the target, or through Kafka: by Debezium or the relay. */
  readonly through: (typeof ROUTES)[number];
};

type Parsed =
  | { readonly kind: 'options'; readonly options: DemoOptions }
  /** Help was shown, or what is wrong was said. */
  | { readonly kind: 'exit'; readonly code: number };

/** Reads the command line of `npm run demo`. */
export function parseOptions(argv: readonly string[]): Parsed {
  const program = new Command('npm run demo --')
    .description(
      'Copies an invented legacy Django database into a new model, and follows it live.\n' +
        'Starts two PostgreSQL servers of its own, and removes them at the end.',
    )
    .addOption(
      new Option('--scale <scale>', 'rows against the real system: 1 %, 10 % or all')
        .choices(SCALES)
        .default('small'),
    )
    .option('--seconds <n>', 'length of the live phase', whole(1, 86_400), 15)
    .option('--keep', 'leave everything up until Ctrl-C, to be looked at', false)
    .option('--seed <n>', 'another one is another legacy system', whole(0, 2 ** 31 - 1), 1)
    .addOption(
      new Option(
        '--through <route>',
        "how changes travel; kafka: with Debezium, relay: Kafka with Tandem's relay; need Java, Maven",
      )
        .choices(ROUTES)
        .default('direct'),
    )
    .helpOption('-h, --help', 'show help')
    .exitOverride();
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: 'exit', code: error.exitCode === 0 ? 0 : 2 };
  }
  return { kind: 'options', options: program.opts<DemoOptions>() };
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
