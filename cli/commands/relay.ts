import { withBoth } from '../../connectors/postgres/pair.ts';
import { TandemError } from '../../core/errors.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command } from '../command.ts';
import { hardStop } from '../hard-stop.ts';
import { keepRelaying } from '../relay/keep-relaying.ts';
import { withRelayMetrics } from '../relay/relay-metrics-pages.ts';
import { TargetMemory } from '../relay/target-memory.ts';

/**
 * `tandem relay`: from the slot into Kafka, as Debezium would. SIGTERM ends it within seconds; a
 * second signal at once.
 */
export const relay: Command = {
  options: [],
  details:
    'Safe to stop and to kill at any moment: it goes on from what Kafka has acknowledged, and\n' +
    'what comes twice changes nothing. One process reads a slot: a second one waits.\n' +
    'Needs `tandem setup` before; the target is asked only at the start.',

  async run(context) {
    const signal = context.stopSignal();
    const config = await context.config();
    const { mapping } = await context.mapping();
    const { kafka } = config;
    if (kafka === null) {
      const problem = 'is not given';
      throw new TandemError('CONFIG_INVALID', { setting: 'KAFKA_BROKERS', problem });
    }
    hardStop(context, signal, 'stopped; what Kafka had not acknowledged comes again');
    const observer = await context.observer();
    const target = new TargetMemory(config);
    const clock = systemClock;
    await withRelayMetrics({ config, observer, clock }, async (watched) => {
      // A wrong host or password ends it here; once both were reached, what passes is waited for.
      await withBoth(config, 'first contact', async () => undefined);
      await keepRelaying({ config, kafka, mapping, target, clock, ...watched }, signal);
      watched.observer.event('stopped', {});
    });
    return EXIT.ok;
  },
};
