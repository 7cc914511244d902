import { avroConverters, startConnector, type TestConnector } from '../harness/connector.ts';
import { waitFor } from '../harness/wait-for.ts';
import { PARTITIONS, type KafkaStage } from './kafka-stage.ts';
import type { PlainTable } from './plain-tables.ts';

const START_MS = 180_000;

/** Debezium's JDBC sink, filling a table with the columns that it has from a topic in Avro. */
export class JdbcSink implements AsyncDisposable {
  readonly #url: string;
  readonly #connector: TestConnector;

  private constructor(url: string, connector: TestConnector) {
    this.#url = url;
    this.#connector = connector;
  }

  static async start(
    { stack }: KafkaStage,
    name: string,
    topic: string,
    { url: database, table }: { readonly url: string; readonly table: PlainTable },
  ): Promise<JdbcSink> {
    const config = {
      ...sinkConfig(topic, database),
      'field.include.list': table.columns.replaceAll(', ', ','),
      ...avroConverters(stack.registry.nativeUrl),
    };
    const connector = await startConnector(stack.connect.url, name, config, START_MS);
    return new JdbcSink(`${stack.connect.url}/connectors/${name}`, connector);
  }

  /** Its tasks stay as they are, and take nothing until `resume`. */
  async pause(): Promise<void> {
    await this.#become('pause', 'PAUSED');
  }

  /** Returns at once: the tasks go on a moment later. */
  async resume(): Promise<void> {
    await fetch(`${this.#url}/resume`, { method: 'PUT' });
  }

  async #become(action: string, state: string): Promise<void> {
    await fetch(`${this.#url}/${action}`, { method: 'PUT' });
    await waitFor(
      async () => {
        const { tasks } = (await (await fetch(`${this.#url}/status`)).json()) as Status;
        return tasks.every((task) => task.state === state);
      },
      { what: `the sink to be ${state}`, timeoutMs: 60_000 },
    );
  }

  /** @throws Error with what a task failed with */
  async requireHealthy(): Promise<void> {
    const { tasks } = (await (await fetch(`${this.#url}/status`)).json()) as Status;
    const failed = tasks.find(({ state }) => state === 'FAILED');
    if (failed !== undefined) throw new Error(`the sink failed: ${failed.trace ?? ''}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connector[Symbol.asyncDispose]();
  }
}

type Status = { readonly tasks: readonly { readonly state: string; readonly trace?: string }[] };

/** The best that was found for it, twice as fast as its defaults. */
function sinkConfig(topic: string, database: string): Record<string, string> {
  const url = new URL(database);
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': String(PARTITIONS),
    topics: topic,
    'connection.url': `jdbc:postgresql://${url.host}${url.pathname}?reWriteBatchedInserts=true`,
    'connection.username': decodeURIComponent(url.username),
    'connection.password': decodeURIComponent(url.password),
    'connection.pool.min_size': '2',
    'connection.pool.max_size': '8',
    'insert.mode': 'upsert',
    'delete.enabled': 'true',
    'primary.key.mode': 'record_key',
    'schema.evolution': 'none',
    'collection.name.format': '${source.table}',
    'batch.size': '2000',
    'use.reduction.buffer': 'true',
    'dialect.postgres.unnest.insert.enabled': 'true',
    'consumer.override.auto.offset.reset': 'earliest',
    'consumer.override.max.poll.records': '2000',
    'consumer.override.max.partition.fetch.bytes': '8388608',
  };
}
