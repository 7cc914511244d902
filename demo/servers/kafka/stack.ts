import { startBroker, type Broker, type BrokerOptions } from './broker.ts';
import { startConnect, type Connect, type ConnectOptions } from './connect.ts';
import { startRegistry, type Registry } from './registry.ts';

/** Broker, registry and Connect worker. */
export interface KafkaStack extends AsyncDisposable {
  readonly broker: Broker;
  readonly registry: Registry;
  readonly connect: Connect;
  /** Ends all of them and removes their data. */
  stop(): Promise<void>;
}

type StackOptions = {
  readonly broker?: BrokerOptions;
  readonly connect?: Omit<ConnectOptions, 'bootstrap'>;
};

/** Starts all three: the registry beside the broker, Connect when the broker is there. */
export async function startStack(options: StackOptions = {}): Promise<KafkaStack> {
  const brokerStarts = startBroker(options.broker);
  const starting = [
    brokerStarts,
    startRegistry(),
    brokerStarts.then(({ bootstrap }) => startConnect({ ...options.connect, bootstrap })),
  ] as const;
  try {
    return asStack(...(await Promise.all(starting)));
  } catch (error) {
    await Promise.all(starting.map((it) => it.then((server) => server.stop()).catch(ignore)));
    throw error;
  }
}

function asStack(broker: Broker, registry: Registry, connect: Connect): KafkaStack {
  const servers = [connect, registry, broker];
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())));
  return { broker, registry, connect, stop, [Symbol.asyncDispose]: stop };
}

const ignore = (): void => undefined; // what failed has nothing to stop
