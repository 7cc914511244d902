import { dirname } from 'node:path';
import { formatSeconds, formatSize } from '../../cli/units.ts';
import { startBroker } from '../servers/kafka/broker.ts';
import { startConnect } from '../servers/kafka/connect.ts';
import { fetchPart, isFetched } from '../servers/kafka/fetch-part.ts';
import type { JvmServer } from '../servers/kafka/jvm-server.ts';
import { PARTS, type PartName } from '../servers/kafka/parts.ts';
import type { Servers, Stage } from '../stage.ts';

/** The servers of the log, beside the databases. */
export type LogServers = Servers & {
  readonly bootstrap: string;
  readonly pids: readonly number[];
  readonly folders: readonly string[];
};

const CONNECT = ['kafka', 'postgresSource', 'avroConverter'] as const;

/** Starts a broker alone, which is what the relay needs; it is fetched the first time. */
export async function startBrokerStep(stage: Stage, servers: Servers): Promise<LogServers> {
  const { screen } = stage;
  screen.step('Start Kafka', 'A broker. It listens on this machine only, too.');
  await fetchParts(stage, ['kafka']);
  const broker = await brokerUp(stage);
  screen.done('it is up');
  const { bootstrap } = broker;
  return {
    ...servers,
    settings: { ...servers.settings, KAFKA_BROKERS: bootstrap },
    ...{ bootstrap, pids: [broker.pid], folders: [dirname(broker.logFile)] },
  };
}

async function brokerUp(stage: Stage): Promise<Awaited<ReturnType<typeof startBroker>>> {
  const broker = await stage.interruption.guard(up(stage, startBroker()));
  stage.screen.line(`broker   ${broker.bootstrap}`);
  return broker;
}

/** Starts broker and Connect worker; what they need is fetched the first time. */
export async function startKafka(stage: Stage, servers: Servers): Promise<LogServers> {
  const { screen, interruption } = stage;
  screen.step(
    'Start Kafka',
    'A broker, and Kafka Connect with the Debezium connector for PostgreSQL. They listen on this machine only, too.',
  );
  await fetchParts(stage, CONNECT);
  const broker = await brokerUp(stage);
  const { bootstrap } = broker;
  const connect = await interruption.guard(up(stage, startConnect({ bootstrap })));
  screen.line(`connect  ${connect.url}`);
  screen.done('both are up');
  const jvms = [broker, connect];
  return {
    ...servers,
    settings: { ...servers.settings, KAFKA_BROKERS: bootstrap, CONNECT_URL: connect.url },
    bootstrap,
    pids: jvms.map(({ pid }) => pid),
    folders: jvms.map(({ logFile }) => dirname(logFile)),
  };
}

/** Stopped with the demo, also where it comes up only after that was interrupted. */
function up<S extends JvmServer>({ cleanup }: Stage, starting: Promise<S>): Promise<S> {
  cleanup.defer(async () => {
    const server = await starting.catch(() => undefined);
    await server?.stop();
  });
  return starting;
}

/** Once for this user; later runs find all of it in the cache. */
async function fetchParts(stage: Stage, needed: readonly PartName[]): Promise<void> {
  const missing = needed.filter((name) => !isFetched(name));
  if (missing.length === 0) return;
  const total = missing.reduce((sum, name) => sum + PARTS[name].megabytes, 0);
  stage.screen.line(`the first time, Maven fetches them: about ${total} MB`);
  for (const name of missing) await fetchOne(stage, name);
}

const LINE_MS = 5_000;

async function fetchOne({ screen, interruption }: Stage, name: PartName): Promise<void> {
  const { name: part, artifact } = PARTS[name];
  const what = `${part} ${artifact.version}`;
  const started = Date.now();
  let [bytes, lineAt] = [0, started + LINE_MS];
  const onDownload = (more: number) => {
    bytes += more;
    const line = `${what}: ${formatSize(bytes)} so far`;
    if (screen.isTerminal) screen.draw([line]);
    else if (Date.now() >= lineAt) {
      screen.line(line);
      lineAt = Date.now() + LINE_MS;
    }
  };
  await interruption.guard(fetchPart(name, onDownload));
  const size = bytes === 0 ? '' : `, ${formatSize(bytes)}`;
  screen.last(`${what}: there${size}, ${formatSeconds((Date.now() - started) / 1000)}`);
}
