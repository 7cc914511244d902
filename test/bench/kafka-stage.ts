import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { startStack, type KafkaStack } from '../../demo/servers/kafka/stack.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Recorder } from './recorder.ts';
import { runTandem } from './run-tandem.ts';
import type { World } from './world.ts';

/** What the connector writes. */
export type LogFormat = 'json' | 'avro';

/** Topics of a table have so many partitions, and the sink so many tasks: its best, measured. */
export const PARTITIONS = 2;

const PREFIX = 'bench';
const CONNECTOR = 'bench';
const FULL_TIMEOUT_MS = 300_000;

/** As servers are run, not as tests start them quickly. */
const SERVER_JVM = ['-XX:TieredStopAtLevel=4', '-XX:-UseSerialGC', '-XX:+UseG1GC'];

/** Broker, registry and Connect worker, with the changes of the world's source in topics. */
export class KafkaStage implements AsyncDisposable {
  readonly stack: KafkaStack;
  readonly #admin: Admin;

  private constructor(stack: KafkaStack, admin: Admin) {
    this.stack = stack;
    this.#admin = admin;
  }

  static async start(): Promise<KafkaStage> {
    const stack = await startStack({
      broker: { jvm: ['-Xmx1g', ...SERVER_JVM] },
      connect: {
        withJdbcSink: true,
        jvm: ['-Xmx2g', ...SERVER_JVM],
        settings: { 'offset.flush.interval.ms': '1000' },
      },
    });
    try {
      const access = { brokers: [stack.broker.bootstrap], tls: null, sasl: null };
      const admin = kafkaClient(access, new Recorder()).admin();
      await admin.connect();
      return new KafkaStage(stack, admin);
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  /** What `tandem` is told about them. */
  settings(format: LogFormat): Readonly<Record<string, string>> {
    const { broker, registry, connect } = this.stack;
    return {
      KAFKA_BROKERS: broker.bootstrap,
      KAFKA_TOPIC_PREFIX: PREFIX,
      KAFKA_PARTITIONS: String(PARTITIONS),
      KAFKA_REPLICATION: '1',
      KAFKA_FORMAT: format,
      SCHEMA_REGISTRY_URL: registry.url,
      CONNECT_URL: connect.url,
      CONNECTOR_NAME: CONNECTOR,
    };
  }

  topicOf(table: string): string {
    return `${PREFIX}.public.${table}`;
  }

  /** From now on the connector writes the changes of the source, from the slot's place on. */
  async deploy(world: World, targetUrl: string, format: LogFormat): Promise<void> {
    await runTandem(world, ['connector', 'deploy'], targetUrl, this.settings(format));
  }

  /** Messages that the topic of a table has had. */
  async messages(table: string): Promise<number> {
    const ends = await this.#admin.fetchTopicOffsets(this.topicOf(table));
    return ends.reduce((sum, { high }) => sum + Number(high), 0);
  }

  /** Waits until the topic of a table has had so many messages. */
  async filled(table: string, messages: number): Promise<void> {
    await waitFor(async () => (await this.messages(table)) >= messages, {
      what: `${messages} messages about ${table}`,
      timeoutMs: FULL_TIMEOUT_MS,
      intervalMs: 100,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
    await this.stack.stop();
  }
}
