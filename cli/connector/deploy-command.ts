import { withClient } from '../../connectors/postgres/connection.ts';
import { EXIT, type Command } from '../command.ts';
import { timeoutOf } from '../timeout-flag.ts';
import { connectOf } from './connect-of.ts';
import { deploy } from './deploy.ts';

/** `tandem connector deploy`: topics, configuration, and a connector that reads the slot. */
export const deployCommand: Command = {
  options: [{ flags: '--timeout <duration>', help: 'how long to wait for it (default 60s)' }],
  details:
    'Safe to repeat: what is there stays, a changed configuration is handed over, and what was paused\n' +
    'or has failed goes on. The slot must not be read by anybody else: stop `tandem run` first.',

  async run(context, flags) {
    const timeoutMs = timeoutOf(context, flags, '60s');
    if (timeoutMs === null) return EXIT.usage;
    const config = await context.config();
    const { mapping } = await context.mapping();
    const connecting = connectOf(config);
    const observer = await context.observer();
    await withClient(config.source, 'connector', (source) =>
      deploy({
        ...{ config, mapping, connecting, source, observer, timeoutMs },
        report: (step, outcome, detail) =>
          context.out.line(`${step.padEnd(9)}  ${outcome.padEnd(7)}  ${detail}`),
      }),
    );
    return EXIT.ok;
  },
};
