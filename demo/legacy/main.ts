import { Command, InvalidArgumentError, Option } from 'commander';
import { fillDatabase } from './fill-database.ts';
import { requireInvented } from './invented-mark.ts';
import { SCALES, type Scale } from './scale.ts';
import { startTraffic } from './traffic.ts';

/**
 * `npm run legacy -- fill|work`: the invented legacy system of the demo, on a server of one's own.
 * The database is named on the command line only: what the environment names may be a real one.
 */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('npm run legacy --').description(
    'The invented legacy system of the demo, in a database of your own.',
  );
  program
    .command('fill')
    .description('Fill an empty database. One that was filled before is left as it is.')
    .requiredOption('--url <url>', 'connection URL of the database')
    .addOption(
      new Option('--scale <scale>', 'rows against the real system: 0.1 %, 1 %, 10 % or all')
        .choices(SCALES)
        .default('small'),
    )
    .option('--seed <n>', 'another one is another legacy system', whole, 1)
    .action(async ({ url, scale, seed }: { url: string; scale: Scale; seed: number }) => {
      const outcome = await fillDatabase({ connectionString: url, scale, seed });
      console.log(outcome === 'filled' ? `filled, scale ${scale}, seed ${seed}` : 'filled before');
    });
  program
    .command('work')
    .description('Let the legacy application work in it, until SIGTERM or SIGINT.')
    .requiredOption('--url <url>', 'connection URL of a database that `fill` has filled')
    .option('--changes-per-second <n>', 'about so many rows are changed', whole, 50)
    .option('--seed <n>', 'another one makes other choices', whole, 1)
    .action(async (options: { url: string; changesPerSecond: number; seed: number }) => {
      const { url: connectionString, changesPerSecond, seed } = options;
      await requireInvented(connectionString);
      console.log(`working, ${changesPerSecond} changes a second`);
      const signal = untilStopped();
      const report = await startTraffic({ connectionString, changesPerSecond, seed, signal });
      console.log(`stopped after ${report.transactions} transactions`);
    });
  await program.parseAsync([...argv], { from: 'user' });
}

function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  return stop.signal;
}

function whole(text: string): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

// A connection that the server has closed, between two queries.
process.once('uncaughtException', (error) => {
  console.error(error.message);
  process.exit(1);
});
try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
