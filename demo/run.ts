import mapping from '../transforms/mapping.ts';
import { backToSlot } from './log/back-to-slot.ts';
import { deployConnector } from './log/connector.ts';
import { startBrokerStep, startKafka, type LogServers } from './log/kafka-servers.ts';
import { killConsumer } from './log/kill-consumer.ts';
import { LogView } from './log/log-view.ts';
import type { Publisher } from './log/publisher.ts';
import { startRelay } from './log/relay.ts';
import { topicLines } from './log/topic-lines.ts';
import { keepUp } from './keep.ts';
import { verdict, watchLive } from './live-status.ts';
import { prove } from './proof.ts';
import { printShowcase } from './showcase.ts';
import { openPair, StepFailed, type Pair, type Servers, type Stage } from './stage.ts';
import * as steps from './steps.ts';
import type { Stream } from './stream.ts';

/** The name under which `tandem` records its position, where no setting says otherwise. */
const STREAM_NAME = 'tandem';
/** The beginning of all topics, likewise. */
const TOPIC_PREFIX = 'tandem';
const FROM_KAFKA = ['run', '--from', 'kafka'] as const;

/** How many steps each way takes. */
export const STEPS = { direct: 11, kafka: 16, relay: 16 } as const;

/** The ways through a log: its servers, and who writes it. */
const LOGS: Readonly<Record<'kafka' | 'relay', Log>> = {
  kafka: { start: startKafka, publish: deployConnector },
  relay: { start: startBrokerStep, publish: startRelay },
};
type Log = {
  readonly start: (stage: Stage, servers: Servers) => Promise<LogServers>;
  readonly publish: (stage: Stage, servers: Servers) => Promise<Publisher>;
};

/** The whole demo, step by step. What it started is taken down by the cleanup, and here at its end. */
export async function runDemo(stage: Stage): Promise<void> {
  const { screen, cleanup, options } = stage;
  const start = Date.now();
  screen.text(
    'Tandem keeps a new database in step with a legacy one while both are in use. This is a legacy Django system being copied, re-modelled and followed live.',
  );

  const databases = await steps.startServers(stage);
  const way = options.through === 'direct' ? null : LOGS[options.through];
  const log = way === null ? null : await way.start(stage, databases);
  const servers = log ?? databases;
  await steps.createLegacy(stage, servers);
  const traffic = await steps.startTrafficStep(stage, servers);
  await steps.check(stage, servers);
  await steps.setup(stage, servers);
  await steps.backfill(stage, servers);
  const publisher = way === null ? null : await way.publish(stage, servers);
  let stream = await steps.startStream(stage, servers, log === null ? ['run'] : FROM_KAFKA);
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
  if (log !== null) stream = await throughLog(stage, log, pair, stream);

  const report = await steps.catchUp(stage, servers, traffic);
  await prove(stage, servers);
  screen.step(
    'Some of the traps, and what became of them',
    'The legacy data is full of them; these are checked now, on both sides.',
  );
  const { orderId } = await printShowcase(stage, pair, report);
  if (options.keep) await keepUp(stage, servers, { ...pair, orderId });

  if (publisher !== null) {
    const { stop: stopPublisher } = publisher;
    stream = await backToSlot(stage, servers, { ...pair, consumer: stream, stopPublisher });
  }
  await steps.stopStream(stage, stream);
  const databasePids = [servers.source.pid, servers.target.pid];
  const pids = [...databasePids, stream.pid, ...(log?.pids ?? []), ...(publisher?.pids ?? [])];
  const data = [servers.source.dataDirectory, servers.target.dataDirectory];
  const folders = [...data, ...(log?.folders ?? [])];
  const errors = await cleanup.run();
  if (errors.length > 0) throw new StepFailed('something could not be stopped', errors.map(String));
  const left = steps.leftovers(pids, folders);
  if (left.length > 0) throw new StepFailed('something was left behind', left);
  screen.line('all servers are stopped, their data is removed, nothing is left running');
  screen.done();
  screen.line();
  const seconds = Math.round((Date.now() - start) / 1000);
  screen.line(screen.style('bold', `Done in ${seconds} s.`));
}

/** What is in the log, and that a consumer may die at any moment. */
async function throughLog(
  stage: Stage,
  log: LogServers,
  pair: Pair,
  stream: Stream,
): Promise<Stream> {
  const { screen, interruption } = stage;
  const parts = { ...pair, mapping, prefix: TOPIC_PREFIX, streamName: STREAM_NAME };
  const view = await interruption.guard(LogView.open(stage, log.bootstrap, parts));
  screen.step(
    'Look into the log',
    'Each change is a message, in the partition that its key belongs to; heartbeats have a topic of their own.',
  );
  for (const line of topicLines(await interruption.guard(view.read()))) screen.line(line);
  screen.done();
  return await killConsumer(stage, log, { ...parts, stream, view, args: FROM_KAFKA });
}
