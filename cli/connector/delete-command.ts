import type { ConnectRest } from '../../connectors/debezium/connect-rest.ts';
import { TandemError } from '../../core/errors.ts';
import { systemClock } from '../clock.ts';
import { EXIT, type Command } from '../command.ts';
import { connectOf } from './connect-of.ts';

/** `tandem connector delete`: the connector goes, the slot stays. */
export const deleteCommand: Command = {
  options: [],
  details:
    'The slot stays where the connector has confirmed it, so whoever reads it next (a connector that is\n' +
    'deployed anew, or `tandem run`) goes on there without a gap. Topics and their messages stay too.\n' +
    'What Connect knows of its own position is deleted: with it, a connector on a new slot would fail.',

  async run(context) {
    const config = await context.config();
    const { connect, rest } = connectOf(config);
    const { connector } = connect;
    if ((await rest.config(connector)) === null) {
      context.out.line(`nothing to do: there is no connector ${connector}`);
      return EXIT.ok;
    }
    await rest.stop(connector);
    await waitUntilStopped(rest, connector);
    await rest.deleteOffsets(connector);
    await rest.delete(connector);
    context.out.line(`deleted connector ${connector} and what Connect knew of its position`);
    context.out.line(`kept slot ${config.slot}, publication ${config.publication}, and all topics`);
    return EXIT.ok;
  },
};

const STOP_MS = 30_000;

/** Offsets are not deleted under a task that could still write some. */
async function waitUntilStopped(rest: ConnectRest, connector: string): Promise<void> {
  const deadline = systemClock.now() + STOP_MS;
  for (;;) {
    const status = await rest.status(connector);
    if (status === null || (status.state === 'STOPPED' && status.tasks.length === 0)) return;
    if (systemClock.now() > deadline) {
      const tasks = status.tasks.map(({ state }) => state).join(' ');
      throw new TandemError('TIMED_OUT', { connector, state: status.state, tasks });
    }
    await systemClock.sleep(100);
  }
}
