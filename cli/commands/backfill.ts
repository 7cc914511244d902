import { withClient } from '../../connectors/postgres/connection.ts';
import { forgetDerived } from '../../backfill/backfill.ts';
import { resumeEntities } from '../../consumers/entity-state.ts';
import { addJobs } from '../../consumers/jobs.ts';
import { estimateBackfill } from '../../backfill/estimate.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command, type Context, type ExitCode } from '../command.ts';
import { Engine } from '../engine.ts';
import { hardStop } from '../hard-stop.ts';
import { didYouMean } from '../similar.ts';
import { recordRun } from '../record-run.ts';
import { formatCount, formatSeconds, formatSize } from '../units.ts';
import { withMetrics } from '../with-metrics.ts';

const STOPPED = 'stopped; `tandem backfill` or `tandem run` goes on from here';

/**
 * `tandem backfill`: loads the mirror and derives all entities; goes on where it stopped. SIGTERM ends
 * it within seconds, as `run`: a chunk in hand is rolled back.
 */
export const backfill: Command = {
  options: [
    { flags: '--only <entity,…>', help: 'derive these entities again from the mirror' },
    { flags: '--dry-run', help: 'count, estimate time and size, and change nothing' },
  ],
  details: 'The number of workers is the setting BACKFILL_WORKERS (--workers).',

  async run(context, flags) {
    const signal = context.stopSignal();
    hardStop(context, signal, STOPPED);
    const config = await context.config();
    const { mapping } = await context.mapping();
    const observer = await context.observer();
    const engine = await Engine.open({ config, mapping, observer, clock: systemClock });
    const only = typeof flags['only'] === 'string' ? flags['only'].split(',') : [];
    const names = engine.model.entities.map((entity) => entity.name);
    for (const name of only) {
      if (!names.includes(name)) {
        const near = didYouMean(name, names);
        context.notes.line(
          `no entity is named ${name}${near === null ? '' : `; did you mean ${near}?`}`,
        );
        return EXIT.usage;
      }
    }
    if (flags['dryRun'] === true) {
      await printEstimate(context, engine);
      return EXIT.ok;
    }
    const reader = await engine.readerPid();
    if (reader !== null) return await leaveToReader(context, only, reader);
    if (only.length > 0) await forget(context, only);
    const { tables, entities } = await engine.remaining();
    if (tables.length + entities.length === 0) {
      context.out.line('the backfill is complete already; derive again with --only <entity,…>');
      return EXIT.ok;
    }
    const start = Date.now();
    const reported = { config, mapping, observer, clock: systemClock };
    try {
      await withMetrics(reported, (watched) =>
        recordRun(config, 'backfill', () => engine.telling(watched.observer).backfill(signal)),
      );
    } catch (error) {
      if (!signal.aborted) throw error;
      context.notes.line(STOPPED);
      return EXIT.ok;
    }
    const seconds = (Date.now() - start) / 1000;
    context.out.line(`backfill complete in ${formatSeconds(seconds)}; next: tandem run`);
    return EXIT.ok;
  },
};

/** A process that streams has the target: it derives again what is asked, and nothing else can be. */
async function leaveToReader(
  context: Context,
  only: readonly string[],
  pid: number,
): Promise<ExitCode> {
  if (only.length === 0) {
    context.notes.line(
      `a process streams from the slot (process ${pid} of the source); stop it first`,
    );
    return EXIT.failure;
  }
  await withClient((await context.config()).target, 'backfill', async (target) => {
    await resumeEntities(target, only);
    const wanted = only.map((entity) => ({ entity, keys: null }));
    await addJobs(target, wanted, 'asked for');
  });
  context.out.line(`left to the process that streams: ${only.join(', ')}; see: tandem status`);
  return EXIT.ok;
}

async function forget(context: Context, entities: readonly string[]): Promise<void> {
  const { target } = await context.config();
  await withClient(target, 'backfill', (client) => forgetDerived(client, entities));
}

async function printEstimate({ out, config }: Context, engine: Engine): Promise<void> {
  const { source } = await config();
  await withClient(source, 'estimate', async (client) => {
    const estimate = await estimateBackfill(client, engine.model);
    for (const { table, rows, bytes } of estimate.tables) {
      out.line(
        `${table.padEnd(32)} ${formatCount(rows).padStart(12)} rows ${formatSize(bytes).padStart(10)}`,
      );
    }
    out.line(
      `${'together'.padEnd(32)} ${formatCount(estimate.rows).padStart(12)} rows ${formatSize(estimate.bytes).padStart(10)}`,
    );
    out.line(
      `about ${formatSeconds(estimate.seconds)} and ${formatSize(estimate.targetBytes)} on the target; rows are the planner's estimates`,
    );
  });
}
