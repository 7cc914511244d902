import { EXIT, type Command, type Context } from '../command.ts';
import { planSetup, setUp, type SetupStep } from '../setup.ts';

/** `tandem setup [--dry-run] [--new-slot]`: makes what is missing; safe to repeat. */
export const setup: Command = {
  options: [
    { flags: '--dry-run', help: 'print the SQL and change nothing' },
    {
      flags: '--new-slot',
      help: 'drop the slot and make a new one; everything has to be loaded again',
    },
  ],

  async run(context, flags) {
    const config = await context.config();
    const loaded = await context.mapping();
    const slot = flags['newSlot'] === true ? 'replace' : 'keep';
    if (flags['dryRun'] === true) {
      const plan = await planSetup({ config, loaded, slot });
      printSql(context, 'on the target', plan.target);
      printSql(context, 'on the source', plan.source);
      return EXIT.ok;
    }
    await setUp({
      config,
      loaded,
      slot,
      withdraw: true,
      observer: await context.observer(),
      report: (step) => context.out.line(stepLine(step)),
      waiting: (pids) => context.notes.line(waitingLine(pids)),
    });
    const isInLog = config.kafka?.backfillFrom === 'log';
    const run = isInLog ? 'tandem run --from kafka' : 'tandem run';
    context.out.line(`next: ${slot === 'replace' ? 'tandem backfill' : run}`);
    return EXIT.ok;
  },
};

function printSql({ out }: Context, where: string, statements: readonly string[]): void {
  out.line(`-- ${where}`);
  for (const statement of statements) out.line(`${statement};`);
  out.line();
}

function stepLine({ step, outcome, detail }: SetupStep): string {
  return `${step.padEnd(14)}  ${outcome.padEnd(5)}  ${detail}`;
}

function waitingLine(pids: readonly number[]): string {
  const processes = pids.length === 1 ? `process ${pids[0]}` : `processes ${pids.join(', ')}`;
  return `the slot is waiting for the end of transactions of the source: ${processes}`;
}
