import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs';
import { inject } from 'vitest';
import type { SharedAddresses, SharedName } from './shared-servers.ts';

/**
 * A server that all test files of this run share, started when the first one asks. Ask in
 * `beforeAll`: a start takes seconds, and the very first one downloads. Topics, groups, subjects
 * and connectors are everybody's, so each test names its own with `freshPrefix`. A test that stops
 * a server starts its own with `startBroker` and the like.
 */
export async function sharedServer<N extends SharedName>(name: N): Promise<SharedAddresses[N]> {
  const response = await fetch(`${inject('sharedServersUrl')}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as SharedAddresses[N];
}

/** Begins the names of one test: nobody else uses it. Letters, digits and underscores. */
export function freshPrefix(): string {
  return `t${process.pid}_${randomBytes(4).toString('hex')}`;
}

/** A client that keeps its log to itself and does not wait long between attempts. */
export function kafkaClient(bootstrap: string, options: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 20 },
    ...options,
  });
}
