import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startBroker } from '../../demo/servers/kafka/broker.ts';
import { startConnect } from '../../demo/servers/kafka/connect.ts';
import type { JvmServer } from '../../demo/servers/kafka/jvm-server.ts';
import { startRegistry } from '../../demo/servers/kafka/registry.ts';

/** What a test file may ask for, and where it is then. */
export type SharedAddresses = {
  readonly broker: { readonly bootstrap: string };
  readonly registry: { readonly url: string; readonly nativeUrl: string };
  readonly connect: { readonly url: string };
};

export type SharedName = keyof SharedAddresses;

type SharedServers = { readonly url: string; stop(): Promise<void> };

/**
 * Starts servers in Java when a test first asks for them: most runs need none, and each takes
 * seconds and a few hundred megabytes. Test files run in processes of their own, so they ask over
 * HTTP: `GET /broker` is answered when the broker is there, with its addresses.
 */
export async function offerSharedServers(): Promise<SharedServers> {
  const starting: Promise<JvmServer>[] = [];
  const start = startOnce(starting);
  const http = createServer((request, response) => {
    const name = (request.url ?? '').slice(1);
    const answer = Object.hasOwn(start, name)
      ? start[name as SharedName]()
      : Promise.reject(new Error(`there is no shared server ${name}`));
    answer.then(
      (addresses) => response.end(JSON.stringify(addresses)),
      (error: unknown) =>
        response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  const url = await listen(http);
  return {
    url,
    async stop() {
      http.closeAllConnections();
      http.close();
      await Promise.all(starting.map((it) => it.then((server) => server.stop()).catch(ignore)));
    },
  };
}

type Starters = { readonly [N in SharedName]: () => Promise<SharedAddresses[N]> };

/** A start that failed stays so: the same error for every test, and no new wait for each. */
function startOnce(starting: Promise<JvmServer>[]): Starters {
  const once = <T extends JvmServer>(start: () => Promise<T>) => {
    let first: Promise<T> | undefined;
    return () => {
      if (first === undefined) starting.push((first = start()));
      return first;
    };
  };
  // What a test wants compacted is compacted at once.
  const settings = { 'log.cleaner.backoff.ms': '250' };
  const broker = once(() => startBroker({ settings }));
  const registry = once(() => startRegistry());
  const connect = once(async () => startConnect({ bootstrap: (await broker()).bootstrap }));
  return {
    broker: async () => ({ bootstrap: (await broker()).bootstrap }),
    registry: async () => {
      const { url, nativeUrl } = await registry();
      return { url, nativeUrl };
    },
    connect: async () => ({ url: (await connect()).url }),
  };
}

function listen(http: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(0, '127.0.0.1', () => {
      http.unref();
      resolve(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    });
  });
}

const ignore = (): void => undefined; // the test that asked was told why it did not start
