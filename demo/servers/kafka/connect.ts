import { join } from 'node:path';
import { answers } from './answers.ts';
import { fetchPart } from './fetch-part.ts';
import { logArgument, SMALL_JVM, writeProperties, type Settings } from './jvm-files.ts';
import { startJvm, type JvmServer } from './jvm-server.ts';
import type { PartName } from './parts.ts';

/** A Kafka Connect worker of our own, in distributed mode. */
export type Connect = JvmServer & {
  /** Of its REST interface. */
  readonly url: string;
};

export type ConnectOptions = {
  /** `host:port` of the broker, where it keeps what it knows. */
  readonly bootstrap: string;
  /** Also loads the JDBC sink, which is large. */
  readonly withJdbcSink?: boolean;
  /** On top of ours. */
  readonly settings?: Settings;
  /** Arguments of java, after ours. */
  readonly jvm?: readonly string[];
};

/** Starts a worker that can run Debezium's PostgreSQL connector and write Avro. */
export async function startConnect(options: ConnectOptions): Promise<Connect> {
  const classPath = join(await fetchPart('kafka'), 'jars', '*');
  const plugins = await pluginPath(options.withJdbcSink === true);
  const server = await startJvm({
    name: 'Kafka Connect',
    portCount: 1,
    isReady: async (_log, { ports: [port] }) => answers(`http://127.0.0.1:${port}/health`),
    async prepare({ folder, ports: [port] }) {
      const settings = {
        ...connectSettings(options.bootstrap, port ?? 0),
        'plugin.path': plugins,
        ...options.settings,
      };
      const file = await writeProperties(join(folder, 'connect.properties'), settings);
      const java = ['-Xms64m', '-Xmx512m', ...SMALL_JVM, ...(options.jvm ?? [])];
      const main = 'org.apache.kafka.connect.cli.ConnectDistributed';
      return [...java, await logArgument(folder), '-cp', classPath, main, file];
    },
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.ports[0]}` });
}

/** What our worker is told; docker/connect/connect.properties says the same where it matters. */
export function connectSettings(bootstrap: string, port: number): Settings {
  const json = 'org.apache.kafka.connect.json.JsonConverter';
  return {
    'bootstrap.servers': bootstrap,
    'group.id': 'connect',
    listeners: `http://127.0.0.1:${port}`,
    // A third of the time of looking through all jars, see parts.ts.
    'plugin.discovery': 'service_load',
    'key.converter': json,
    'key.converter.schemas.enable': 'false',
    'value.converter': json,
    'value.converter.schemas.enable': 'false',
    'config.storage.topic': 'connect-configs',
    'config.storage.replication.factor': '1',
    'offset.storage.topic': 'connect-offsets',
    'offset.storage.replication.factor': '1',
    'offset.storage.partitions': '1',
    'offset.flush.interval.ms': '1000',
    'status.storage.topic': 'connect-status',
    'status.storage.replication.factor': '1',
    'status.storage.partitions': '1',
    // A worker that comes back gets its tasks at once.
    'scheduled.rebalance.max.delay.ms': '0',
  };
}

async function pluginPath(withJdbcSink: boolean): Promise<string> {
  const names: PartName[] = ['postgresSource', 'avroConverter'];
  const folders: string[] = [];
  for (const name of withJdbcSink ? [...names, 'jdbcSink' as const] : names) {
    folders.push(await fetchPart(name));
  }
  return folders.join(',');
}
