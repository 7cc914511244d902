import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { expect } from 'vitest';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import type { TestPair } from '../harness/database.ts';
import { freshPrefix, kafkaClient } from '../harness/kafka-stack.ts';
import { TandemProcess, type Settings } from '../harness/tandem-process.ts';
import { waitFor } from '../harness/wait-for.ts';
import type { Workplace } from '../integration/cli-run.ts';
import { smallWorkplace } from '../integration/cli-small-mapping.ts';

/** A message of a topic as a reader sees it. */
export type Read = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
};

type Envelope = {
  readonly op: string;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly source: Record<string, unknown>;
  readonly message?: { readonly prefix: string; readonly content: string };
};

/** A place where `tandem relay` works, set up, with topics of its own. */
export class RelayPlace implements Disposable {
  readonly work: Workplace;
  readonly prefix: string;
  readonly bootstrap: string;

  private constructor(work: Workplace, bootstrap: string, prefix: string) {
    registerCodecs();
    this.work = work;
    this.bootstrap = bootstrap;
    this.prefix = prefix;
  }

  static async open(
    pair: TestPair,
    bootstrap: string,
    settings: Settings = {},
    more: { readonly mapping: string; readonly targets: string } | null = null,
  ): Promise<RelayPlace> {
    const prefix = settings['KAFKA_TOPIC_PREFIX'] ?? freshPrefix();
    const work = await smallWorkplace(pair, {
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_PREFIX: prefix,
      HEARTBEAT_SECONDS: '0',
      ...settings,
    });
    if (more !== null) {
      work.write('mapping.ts', more.mapping);
      work.write('migrations/20260102000000_more.sql', more.targets);
    }
    const { code, err } = await work.run('setup');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return new RelayPlace(work, bootstrap, prefix);
  }

  /** A process of its own does not run in the workplace's folder. */
  get settings(): Settings {
    return { ...this.work.environment, MAPPING: join(this.work.folder, 'mapping.ts') };
  }

  start(settings: Settings = {}, command = 'relay'): TandemProcess {
    return new TandemProcess([command], { ...this.settings, LOG_LEVEL: 'debug', ...settings });
  }

  /** Started, and reading the slot. */
  async started(settings: Settings = {}): Promise<TandemProcess> {
    const relay = this.start(settings);
    await relay.logged('stream.started', () => true, 60_000);
    return relay;
  }

  /** The topics of somebody else, seen in the same way. */
  under(prefix: string): RelayPlace {
    return new RelayPlace(this.work, this.bootstrap, prefix);
  }

  topic(name: string): string {
    return `${this.prefix}.${name}`;
  }

  /** All messages of a topic, once there are `count` or more, by partition and offset. */
  async read(name: string, count: number, timeoutMs = 60_000): Promise<readonly Read[]> {
    const topic = this.topic(name);
    const messages: Read[] = [];
    const consumer = kafkaClient(this.bootstrap).consumer({
      groupId: freshPrefix(),
      maxWaitTimeInMs: 100,
    });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ partition, message }) => {
          const { offset, key, value, headers = {} } = message;
          const texts = Object.entries(headers).map(([header, it]) => [header, String(it)]);
          messages.push({
            ...{ topic, partition, offset: Number(offset), key, value },
            headers: Object.fromEntries(texts) as Record<string, string>,
          });
        },
      });
      await waitFor(async () => messages.length >= count, {
        what: `${count} messages in ${topic}`,
        timeoutMs,
      });
    } finally {
      await consumer.disconnect();
    }
    return messages.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  /** How many messages a topic holds. */
  async count(name: string): Promise<number> {
    const admin = kafkaClient(this.bootstrap).admin();
    await admin.connect();
    try {
      // A broker that has just started does not know yet what it leads.
      const ends = await waitFor(
        () => admin.fetchTopicOffsets(this.topic(name)).catch(() => false as const),
        { what: `the ends of ${name}`, timeoutMs: 30_000 },
      );
      return ends.reduce((sum, { offset }) => sum + Number(offset), 0);
    } finally {
      await admin.disconnect();
    }
  }

  /** What the topic takes, in bytes. */
  async limit(name: string, bytes: number): Promise<void> {
    const admin = kafkaClient(this.bootstrap).admin();
    await admin.connect();
    const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
    const type = kafkajs.ConfigResourceTypes.TOPIC;
    const resources = [{ type, name: this.topic(name), configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    await admin.disconnect();
  }

  /** Where Kafka remembers that the slot is published, newest last. */
  async noted(): Promise<readonly string[]> {
    const found = await this.read('relay-position', 1);
    return found.map(({ value }) => (JSON.parse(String(value)) as { lsn: string }).lsn);
  }

  [Symbol.dispose](): void {
    this.work[Symbol.dispose]();
  }
}

export const envelopeOf = ({ value }: Pick<Read, 'value'>): Envelope =>
  JSON.parse(String(value)) as Envelope;
