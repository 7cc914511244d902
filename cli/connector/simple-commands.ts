import type { ConnectRest } from '../../connectors/debezium/connect-rest.ts';
import { EXIT, type Command } from '../command.ts';
import { connectOf } from './connect-of.ts';

/** A command that is one request. */
function oneRequest(
  ask: (rest: ConnectRest, connector: string) => Promise<void>,
  said: string,
  details: string,
): Command {
  return {
    options: [],
    details,
    async run(context) {
      const { connect, rest } = connectOf(await context.config());
      await ask(rest, connect.connector);
      context.out.line(`${connect.connector}: ${said}; see: tandem connector status`);
      return EXIT.ok;
    },
  };
}

export const restartCommand = oneRequest(
  (rest, connector) => rest.restart(connector),
  'restarts, with its task',
  'The connector and its task start anew, from where the connector has come: nothing is lost.',
);

export const pauseCommand = oneRequest(
  (rest, connector) => rest.pause(connector),
  'pauses',
  'It publishes nothing and goes on holding the slot: the source keeps its log meanwhile, so watch\n' +
    'how much that is. To let something else read the slot: tandem connector delete.',
);

export const resumeCommand = oneRequest(
  (rest, connector) => rest.resume(connector),
  'goes on',
  'After `tandem connector pause`; nothing is lost.',
);
