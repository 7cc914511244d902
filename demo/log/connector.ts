import { runTandem, type Servers, type Stage } from '../stage.ts';
import type { Publisher } from './publisher.ts';

/** Topics and connector are made, and the connector reads the slot. */
export async function deployConnector(stage: Stage, servers: Servers): Promise<Publisher> {
  const { screen } = stage;
  screen.step(
    'Let Debezium write the log',
    'A topic for each legacy table, and a connector that reads the slot from where the setup has made it: what was changed during the backfill comes first.',
  );
  await runTandem(stage, ['connector', 'deploy'], {
    settings: servers.settings,
    onOutput: (line) => screen.line(line),
    onLog: (line) => screen.line(line),
  });
  screen.done();
  return { pids: [], stop: () => deleteConnector(stage, servers) };
}

async function deleteConnector(stage: Stage, servers: Servers): Promise<void> {
  const { screen } = stage;
  await runTandem(stage, ['connector', 'delete'], {
    settings: servers.settings,
    onOutput: (line) => screen.line(line),
    onLog: (line) => screen.line(line),
  });
}
