import { waitFor } from './wait-for.ts';

/** A connector on a Connect worker, which goes at the end of the test. */
export type TestConnector = AsyncDisposable & { readonly name: string };

type Status = { readonly connector: State; readonly tasks: readonly State[] };
type State = { readonly state: string; readonly trace?: string };

/** Makes a connector and returns when its task is running; throws what the task failed with. */
export async function startConnector(
  connectUrl: string,
  name: string,
  config: Readonly<Record<string, string>>,
  timeoutMs = 40_000,
): Promise<TestConnector> {
  const url = `${connectUrl}/connectors/${encodeURIComponent(name)}`;
  await ask(`${url}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(config),
  });
  const connector = {
    name,
    // Its walsender ends with it, so that the database can be dropped.
    [Symbol.asyncDispose]: async () => void (await ask(url, { method: 'DELETE' })),
  };
  try {
    await waitFor(() => isRunning(`${url}/status`), {
      what: `the connector ${name}`,
      timeoutMs,
    });
    return connector;
  } catch (error) {
    await connector[Symbol.asyncDispose]();
    throw error;
  }
}

/** The settings of a Debezium source for that database, on a slot that is there already. */
export function debeziumSource(
  database: string,
  names: { readonly prefix: string; readonly slot: string; readonly publication: string },
): Record<string, string> {
  const url = new URL(database);
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'database.hostname': url.hostname,
    'database.port': url.port,
    'database.user': decodeURIComponent(url.username),
    'database.password': decodeURIComponent(url.password),
    'database.dbname': url.pathname.slice(1),
    'topic.prefix': names.prefix,
    'plugin.name': 'pgoutput',
    'slot.name': names.slot,
    'publication.name': names.publication,
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': 'no_data',
    'poll.interval.ms': '50',
    // The shared broker makes no topics by itself.
    'topic.creation.default.partitions': '1',
    'topic.creation.default.replication.factor': '1',
  };
}

/** Keys and values in Avro, framed as Confluent does it: a zero, the schema's id, the value. */
export function avroConverters(registryNativeUrl: string): Record<string, string> {
  const converters = ['key', 'value'].flatMap((side) => {
    const settings: Record<string, string> = {
      '': 'io.apicurio.registry.utils.converter.AvroConverter',
      '.apicurio.registry.url': registryNativeUrl,
      '.apicurio.registry.auto-register': 'true',
      '.apicurio.registry.find-latest': 'true',
      '.apicurio.registry.as-confluent': 'true',
      '.apicurio.registry.headers.enabled': 'false', // otherwise the id is in a header
      '.apicurio.registry.use-id': 'contentId', // of two ids the one that its Confluent side knows
    };
    return Object.entries(settings).map(([name, it]) => [`${side}.converter${name}`, it] as const);
  });
  return { ...Object.fromEntries(converters), 'schema.name.adjustment.mode': 'avro' };
}

async function isRunning(statusUrl: string): Promise<boolean> {
  const response = await fetch(statusUrl);
  if (response.status === 404) return false; // not yet known to the worker
  const { connector, tasks } = (await response.json()) as Status;
  const failed = [connector, ...tasks].find((it) => it.state === 'FAILED');
  if (failed !== undefined) throw new Error(`the connector failed: ${failed.trace ?? ''}`);
  return tasks.length > 0 && tasks.every((it) => it.state === 'RUNNING');
}

/** A worker that is rebalancing answers 409: then it is asked again. */
async function ask(url: string, request: RequestInit): Promise<void> {
  await waitFor(
    async () => {
      const response = await fetch(url, request);
      const text = await response.text();
      if (response.status === 409) return false;
      if (!response.ok) throw new Error(`${response.status} ${text}`);
      return true;
    },
    { what: `an answer of ${url}`, timeoutMs: 30_000, intervalMs: 100 },
  );
}
