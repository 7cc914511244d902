import { withBoth } from '../../connectors/postgres/pair.ts';
import type { Observer } from '../../core/ports.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command } from '../command.ts';
import { chooseCapture } from '../choose-capture.ts';
import type { Config } from '../config.ts';
import { hardStop } from '../hard-stop.ts';
import { keepRunning } from '../keep-running.ts';
import type { LoadedMapping } from '../load-mapping.ts';
import { persist } from '../persist.ts';
import { setUp, type SetupOptions } from '../setup.ts';
import { verifyBeside } from '../verify-beside.ts';
import { withMetrics } from '../with-metrics.ts';

/**
 * `tandem run`: the main job. Sets up and loads what is missing, then streams until stopped.
 * SIGTERM ends it within seconds, after or without the batch in hand; a second signal at once.
 */
export const run: Command = {
  options: [
    {
      flags: '--apply-mapping',
      help: 'derive all rows again of entities whose mapping changed, beside the stream',
    },
    {
      flags: '--from <where>',
      help: 'where the changes come from: direct (the slot, which is the default) or kafka',
    },
    {
      flags: '--topics <table,…>',
      help: 'with kafka: only the topics of these legacy tables; other processes have the others',
    },
    {
      flags: '--entities <entity,…>',
      help: 'with kafka: only the topics of the root tables of these entities',
    },
    {
      flags: '--reread-log',
      help: 'with kafka: where the log has lost something, read its tables again beside the stream',
    },
  ],
  details:
    'Safe to stop and to kill at any moment: it goes on from what the target has committed.\n' +
    'One process reads a slot: a second one waits, and says which process holds it. Of Kafka several\n' +
    'processes share the partitions.',

  async run(context, flags) {
    const signal = context.stopSignal();
    const config = await context.config();
    const loaded = await context.mapping();
    const { mapping } = loaded;
    const applyMapping = flags['applyMapping'] === true;
    const clock = systemClock;
    hardStop(context, signal, 'stopped; the batch in hand was rolled back and comes again');
    const reported = { config, mapping, observer: await context.observer(), clock };
    const capture = chooseCapture(config, mapping, flags, reported.observer);
    await withMetrics(reported, async ({ observer, watch }) => {
      // A wrong host or password ends it here; once both were reached, what passes is waited for.
      await withBoth(config, 'first contact', async () => undefined);
      const patiently = { signal, clock, observer };
      const options = { ...setupOptions(config, loaded, observer), through: capture.through };
      await persist(() => setUp(options), patiently);
      const engine = { config, mapping, observer, clock, watch, applyMapping, ...capture.log };
      const over = new AbortController();
      const whole = AbortSignal.any([signal, over.signal]);
      const beside = [verifyBeside(engine, whole), capture.follow(observer, whole)];
      try {
        await keepRunning(engine, signal);
      } finally {
        over.abort();
        await Promise.all(beside);
      }
      observer.event('stopped', {});
    });
    return EXIT.ok;
  },
};

function setupOptions(config: Config, loaded: LoadedMapping, observer: Observer): SetupOptions {
  return {
    config,
    loaded,
    slot: 'keep',
    withdraw: false,
    observer,
    report: ({ step, outcome, detail }) => observer.event('setup', { step, outcome, detail }),
    waiting: (pids) =>
      observer.event('slot waits for open transactions', { pids: pids.join(' ') }, 'warn'),
  };
}
