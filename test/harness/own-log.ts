import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { startConnect, type Connect } from '../../demo/servers/kafka/connect.ts';
import { startRegistry, type Registry } from '../../demo/servers/kafka/registry.ts';
import type { Path, Servers } from './paths.ts';

/** The servers that a path through a log needs, for a test that lets them fail. */
export type OwnLog = AsyncDisposable & {
  readonly broker: Broker;
  readonly connect: Connect | null;
  readonly registry: Registry | null;
  /** As `openPath` asks for them. */
  readonly servers: Servers;
};

export async function startOwnLog(path: Exclude<Path, 'direct'>): Promise<OwnLog> {
  const broker = await startBroker();
  const { bootstrap } = broker;
  const [connect, registry] = await Promise.all([
    path.startsWith('debezium') ? startConnect({ bootstrap }) : null,
    path.endsWith('avro') ? startRegistry() : null,
  ]);
  const addresses = {
    broker: { bootstrap },
    connect: { url: connect?.url ?? '' },
    registry: { url: registry?.url ?? '', nativeUrl: registry?.nativeUrl ?? '' },
  };
  return {
    ...{ broker, connect, registry },
    servers: (name) => Promise.resolve(addresses[name]),
    async [Symbol.asyncDispose]() {
      await connect?.stop();
      await registry?.stop();
      await broker.stop();
    },
  };
}
