import { StepFailed, type Servers, type Stage } from '../stage.ts';
import { Stream } from '../stream.ts';
import type { Publisher } from './publisher.ts';

/** A process of Tandem's own reads the slot, and makes the topics. */
export async function startRelay(stage: Stage, servers: Servers): Promise<Publisher> {
  const { screen, interruption } = stage;
  screen.step(
    'Let the relay write the log',
    'A topic for each legacy table, and a process that reads the slot from where the setup has made it and writes what Debezium would: what was changed during the backfill comes first.',
  );
  screen.command(['relay']);
  const relay = new Stream(stage, servers, ['relay']);
  await interruption.guard(relay.started);
  screen.done('it reads the slot');
  const stop = async () => {
    screen.line(screen.style('cyan', `$ kill ${relay.pid}`));
    const { code } = await relay.stop();
    if (code !== 0) throw new StepFailed(`tandem relay ended with ${code ?? 'a signal'}`);
  };
  return { pids: [relay.pid], stop };
}
