import type pg from 'pg';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../connectors/kafka/client.ts';
import { readLogEnds } from '../../connectors/kafka/log-ends.ts';
import { partitionOf } from '../../connectors/kafka/log-position.ts';
import { messageTopic, tableTopics } from '../../core/topic-name.ts';
import { readPositions } from '../../consumers/topic-positions.ts';
import type { Mapping } from '../../core/entity.ts';
import { capturedTables } from '../../cli/connector/wanted-config.ts';
import type { Observer } from '../../core/ports.ts';
import type { Stage } from '../stage.ts';

/** A topic: what it holds, and how much of it the target has not had. */
export type TopicView = {
  readonly topic: string;
  readonly partitions: number;
  readonly messages: number;
  readonly waiting: number;
};

type Parts = {
  readonly prefix: string;
  readonly mapping: Mapping;
  readonly target: pg.Client;
  readonly streamName: string;
};

const SILENT: Observer = {
  event: () => undefined,
  progress: () => undefined,
  batch: () => undefined,
};

/** What is in the log, beside what the target has of it. */
export class LogView {
  readonly #admin: Admin;
  readonly #topics: readonly string[];
  readonly #target: pg.Client;
  readonly #stream: string;

  private constructor(admin: Admin, topics: readonly string[], target: pg.Client, stream: string) {
    this.#admin = admin;
    this.#topics = topics;
    this.#target = target;
    this.#stream = stream;
  }

  /** Its connection is closed with the demo. */
  static async open({ cleanup }: Stage, bootstrap: string, parts: Parts): Promise<LogView> {
    const { prefix, mapping, target, streamName } = parts;
    const access = { brokers: [bootstrap], tls: null, sasl: null, clientId: 'demo' };
    const admin = kafkaClient(access, SILENT).admin();
    cleanup.defer(() => admin.disconnect());
    await admin.connect();
    const tables = [...tableTopics(prefix, capturedTables(mapping)).keys()];
    return new LogView(admin, [...tables, messageTopic(prefix)], target, streamName);
  }

  /** Those with most messages first. */
  async read(): Promise<readonly TopicView[]> {
    const ends = await readLogEnds(this.#admin, this.#topics);
    const { partitions } = await readPositions(this.#target, this.#stream);
    const views = new Map<string, TopicView>();
    for (const [name, { low, high }] of ends) {
      const { topic } = partitionOf(name);
      const before = views.get(topic) ?? { topic, partitions: 0, messages: 0, waiting: 0 };
      views.set(topic, {
        topic,
        partitions: before.partitions + 1,
        messages: before.messages + Number(high - low),
        waiting: before.waiting + Number(high - (partitions.get(name)?.next ?? low)),
      });
    }
    return [...views.values()].sort((a, b) => b.messages - a.messages);
  }
}

export const waitingIn = (topics: readonly TopicView[]): number =>
  topics.reduce((sum, { waiting }) => sum + waiting, 0);
