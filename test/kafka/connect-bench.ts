import { join } from 'node:path';
import { expect } from 'vitest';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import type { TestPair } from '../harness/database.ts';
import { freshPrefix, kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import type { SharedAddresses } from '../harness/shared-servers.ts';
import { configureTopic, readTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from '../integration/cli-run.ts';
import { smallWorkplace } from '../integration/cli-small-mapping.ts';

/** The servers that a connector needs, for all tests of a file. */
export class ConnectBench {
  readonly servers: SharedAddresses;
  readonly #names = new Set<string>();

  private constructor(servers: SharedAddresses) {
    this.servers = servers;
  }

  static async start(): Promise<ConnectBench> {
    registerCodecs(); // the connector compresses
    const [broker, registry, connect] = await Promise.all([
      sharedServer('broker'),
      sharedServer('registry'),
      sharedServer('connect'),
    ]);
    return new ConnectBench({ broker, registry, connect });
  }

  /** A connector that stays would go on looking for its database. */
  async clean(): Promise<void> {
    for (const name of this.#names) await this.rest('DELETE', name).catch(() => undefined);
    this.#names.clear();
  }

  /** The settings of a place where `tandem connector` works, with names of its own. */
  async workplace(
    pair: TestPair,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Workplace> {
    const prefix = freshPrefix();
    this.#names.add(prefix);
    return smallWorkplace(pair, {
      KAFKA_BROKERS: this.servers.broker.bootstrap,
      KAFKA_TOPIC_PREFIX: prefix,
      CONNECT_URL: this.servers.connect.url,
      CONNECTOR_NAME: prefix,
      ...settings,
    });
  }

  async deployed(pair: TestPair): Promise<Workplace> {
    const work = await this.workplace(pair);
    await work.run('setup');
    const { code, err } = await work.run('connector', 'deploy');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return work;
  }

  /** The first messages of a topic, as JSON. */
  async messages(work: Workplace, topic: string, count: number): Promise<readonly Seen[]> {
    const name = `${work.environment['KAFKA_TOPIC_PREFIX']}.${topic}`;
    const found = await readTopic(this.servers.broker.bootstrap, name, { count });
    return found.map(({ key, value }) => ({ key: parsed(key), value: parsed(value) }));
  }

  /** A message may come twice, so their number is not known before. */
  async idsArrive(work: Workplace, ids: readonly number[]): Promise<void> {
    const topic = `${work.environment['KAFKA_TOPIC_PREFIX']}.public.office`;
    const admin = kafkaClient(this.servers.broker.bootstrap).admin();
    await admin.connect();
    try {
      await waitFor(
        async () => {
          const ends = await admin.fetchTopicOffsets(topic);
          const count = ends.reduce((sum, { offset }) => sum + Number(offset), 0);
          if (count < ids.length) return false;
          const seen = await this.messages(work, 'public.office', count);
          const found = seen.map(({ value }) => (value as { after: { id: number } }).after.id);
          return ids.every((id) => found.includes(id));
        },
        { what: `rows ${ids.join(', ')}`, timeoutMs: 30_000, intervalMs: 100 },
      );
    } finally {
      await admin.disconnect();
    }
  }

  /** Below what the producer sends, the broker refuses it, and the task fails. */
  async setTopicLimit(work: Workplace, topic: string, bytes: number): Promise<void> {
    const name = `${work.environment['KAFKA_TOPIC_PREFIX']}.${topic}`;
    await configureTopic(this.servers.broker.bootstrap, name, {
      'max.message.bytes': String(bytes),
    });
  }

  /** Changes the deployed connector behind Tandem's back. */
  async configure(work: Workplace, changes: Readonly<Record<string, string>>): Promise<void> {
    const url = `${this.servers.connect.url}/connectors/${work.environment['CONNECTOR_NAME']}/config`;
    const found = (await (await fetch(url)).json()) as Record<string, string>;
    const response = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...found, ...changes }),
    });
    expect(response.status).toBe(200);
  }

  /** The status of the answer. */
  async rest(method: string, connector: string): Promise<number> {
    const url = `${this.servers.connect.url}/connectors/${connector}`;
    return waitFor(
      async () => {
        const { status } = await fetch(url, { method });
        return status === 409 ? false : status;
      },
      { what: `an answer of ${url}`, timeoutMs: 30_000, intervalMs: 100 },
    );
  }
}

/** A message of a topic, as JSON. */
type Seen = { readonly key: unknown; readonly value: unknown };

const parsed = (bytes: Buffer | null): unknown =>
  bytes === null ? null : JSON.parse(bytes.toString());

/** A process of its own does not run in the workplace's folder. */
export const mappingOf = (work: Workplace) => join(work.folder, 'mapping.ts');
