import mapping from '../transforms/mapping.ts';
import { keepUp } from './keep.ts';
import { verdict, watchLive } from './live-status.ts';
import { prove } from './proof.ts';
import { printShowcase } from './showcase.ts';
import { openPair, StepFailed, type Stage } from './stage.ts';
import * as steps from './steps.ts';

/** The name under which `tandem` records its position, where no setting says otherwise. */
const STREAM_NAME = 'tandem';

/** The whole demo, step by step. What it started is taken down by the cleanup, and here at its end. */
export async function runDemo(stage: Stage): Promise<void> {
  const { screen, cleanup, options } = stage;
  const start = Date.now();
  screen.text(
    'Tandem keeps a new database in step with a legacy one while both are in use. This is a legacy Django system being copied, re-modelled and followed live.',
  );

  const servers = await steps.startServers(stage);
  await steps.createLegacy(stage, servers);
  const traffic = await steps.startTrafficStep(stage, servers);
  await steps.check(stage, servers);
  await steps.setup(stage, servers);
  await steps.backfill(stage, servers);
  const stream = await steps.startStream(stage, servers);
  const pair = await openPair(stage, servers);
  const last = await watchLive(stage, {
    ...pair,
    mapping,
    streamName: STREAM_NAME,
    heartbeatSeconds: steps.HEARTBEAT_SECONDS,
    traffic,
    stream,
  });
  for (const warning of stream.warnings) screen.warn(warning);
  screen.done(verdict(last));

  const report = await steps.catchUp(stage, servers, traffic);
  await prove(stage, servers);
  screen.step(
    'Some of the traps, and what became of them',
    'The legacy data is full of them; these are checked now, on both sides.',
  );
  const { orderId } = await printShowcase(stage, pair, report);
  if (options.keep) await keepUp(stage, servers, { ...pair, orderId });

  await steps.stopStream(stage, stream);
  const pids = [servers.source.pid, servers.target.pid, stream.pid];
  const folders = [servers.source.dataDirectory, servers.target.dataDirectory];
  const errors = await cleanup.run();
  if (errors.length > 0) throw new StepFailed('something could not be stopped', errors.map(String));
  const left = steps.leftovers(pids, folders);
  if (left.length > 0) throw new StepFailed('something was left behind', left);
  screen.line('both servers are stopped, their data is removed, nothing is left running');
  screen.done();
  screen.line();
  const seconds = Math.round((Date.now() - start) / 1000);
  screen.line(screen.style('bold', `Done in ${seconds} s.`));
}
