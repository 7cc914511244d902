import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchPart } from './fetch-part.ts';
import { requireJava } from './java.ts';
import { logArgument, SMALL_JVM, writeProperties, type Settings } from './jvm-files.ts';
import { startJvm, type JvmServer, type Place } from './jvm-server.ts';

/** A Kafka broker of our own: one node, which is its own controller, or one that has joined it. */
export type Broker = JvmServer & {
  /** `host:port`, for `bootstrap.servers`. */
  readonly bootstrap: string;
  /** `host:port` of the cluster's controller. */
  readonly controller: string;
};

export type BrokerOptions = {
  /** The broker whose cluster it is part of. Default: a cluster of its own. */
  readonly joins?: Pick<Broker, 'controller'>;
  /** On top of ours. */
  readonly settings?: Settings;
  /** Arguments of java, after ours: `-Xmx2g`, for example. */
  readonly jvm?: readonly string[];
};

const CLUSTER_ID = 'dGFuZGVtLXRlc3QtYnJva2'; // 16 bytes in base64url; any would do

/** Starts a broker. Topics are made by whoever needs them, unless `settings` says otherwise. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const classPath = join(await fetchPart('kafka'), 'jars', '*');
  const server = await startJvm({
    name: 'the Kafka broker',
    portCount: 2,
    isReady: async (log) => log.includes('Kafka Server started'),
    async prepare({ folder, ports }) {
      const data = join(folder, `data-${ports.join('-')}`);
      const { joins } = options;
      const settings = {
        ...brokerSettings(ports, data),
        ...(joins === undefined ? {} : secondOf(joins, ports)),
        ...options.settings,
      };
      const file = await writeProperties(join(folder, 'broker.properties'), settings);
      if (!existsSync(join(data, 'meta.properties'))) {
        await format(classPath, file, joins === undefined ? '--standalone' : null);
      }
      const java = ['-Xms64m', '-Xmx512m', ...SMALL_JVM, ...(options.jvm ?? [])];
      return [...java, await logArgument(folder), '-cp', classPath, 'kafka.Kafka', file];
    },
  });
  const [port, controllerPort] = server.ports;
  return Object.assign(server, {
    bootstrap: `127.0.0.1:${port}`,
    controller: options.joins?.controller ?? `127.0.0.1:${controllerPort}`,
  });
}

/** What a second node is told otherwise: it holds messages, and the first one decides. */
function secondOf({ controller }: Pick<Broker, 'controller'>, [port]: Place['ports']): Settings {
  const listener = `PLAINTEXT://127.0.0.1:${port}`;
  return {
    'process.roles': 'broker',
    'node.id': '2',
    'controller.quorum.bootstrap.servers': controller,
    listeners: listener,
    'advertised.listeners': listener,
  };
}

/** What our broker is told; docker-compose.yml says the same where it matters. */
export function brokerSettings([port, controllerPort]: Place['ports'], data: string): Settings {
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners,
    'advertised.listeners': listeners,
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    // One broker cannot hold the three copies that are the default.
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // A broker that was killed is let in again when its old session is over: 9 s by default.
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '3000',
    // Each partition is files and time at the start.
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    // Consumers of a test do not wait for others, and may be noticed as dead after a second.
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
  };
}

/** Writes the cluster's identity into an empty data folder. */
async function format(classPath: string, file: string, how: '--standalone' | null): Promise<void> {
  const tool = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file];
  if (how !== null) tool.push(how);
  await promisify(execFile)(requireJava(), [...SMALL_JVM, '-cp', classPath, ...tool]);
}
