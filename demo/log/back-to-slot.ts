import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { runTandem, StepFailed, type Servers, type Stage } from '../stage.ts';
import { Stream } from '../stream.ts';

/** From the log back to the slot: whoever writes the log goes, the consumer finishes, direct mode begins. */
export async function backToSlot(
  stage: Stage,
  servers: Servers,
  parts: {
    readonly consumer: Stream;
    readonly source: pg.Client;
    readonly target: pg.Client;
    readonly stopPublisher: () => Promise<void>;
  },
): Promise<Stream> {
  const { screen, interruption, options } = stage;
  const { consumer, target } = parts;
  screen.step(
    'Go back: read the slot again, without Kafka',
    'Whoever writes the log stops, the consumer finishes what is in it, and a process in direct mode goes on where both left the slot.',
  );
  await parts.stopPublisher();
  await runTandem(stage, ['status', '--drained'], {
    settings: servers.settings,
    onOutput: (line) => screen.line(line),
    onLog: (line) => screen.line(line),
  });
  screen.line(screen.style('cyan', `$ kill ${consumer.pid}`));
  const { code } = await consumer.stop();
  if (code !== 0) throw new StepFailed(`tandem run --from kafka ended with ${code ?? 'a signal'}`);

  screen.command(['run']);
  const direct = new Stream(stage, servers);
  await interruption.guard(direct.started);
  const name = `Seen without Kafka ${options.seed}`;
  const [office] = await textRows(
    parts.source,
    `update public.dispatch_office set name = $1
     where id = (select min(id) from public.dispatch_office) returning id`,
    [name],
  );
  await runTandem(stage, ['status', '--caught-up'], {
    settings: servers.settings,
    onOutput: (line) => screen.line(line),
    onLog: (line) => screen.line(line),
  });
  const [arrived] = await textRows(
    target,
    'select name from public.offices where legacy_office_id = $1',
    [office?.[0] ?? null],
  );
  if (arrived?.[0] !== name) throw new StepFailed('the change did not arrive in direct mode');
  screen.done('a change that was made after the switch has arrived');
  return direct;
}
