import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaSource } from '../../connectors/kafka/kafka-source.ts';
import {
  parseLogPosition,
  partitionName,
  type LogPositions,
  type SeenEnd,
  type StoredPartition,
  type StoredPositions,
} from '../../connectors/kafka/log-position.ts';
import { TandemError } from '../../core/errors.ts';
import type { Batch, Heartbeat, Position, Unreadable } from '../../core/ports.ts';
import { waitFor } from '../harness/wait-for.ts';

/** What a target does with batches, without a database: positions move by compare-and-set. */
export class MemoryTarget implements LogPositions {
  clusterId: string | null = null;
  readonly partitions = new Map<string, StoredPartition>();
  /** Ids, in the order in which they came. */
  readonly ids: number[] = [];
  readonly batches: Batch[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly unreadable: Unreadable[] = [];
  refused = 0;

  async read(): Promise<StoredPositions> {
    return { clusterId: this.clusterId, partitions: new Map(this.partitions) };
  }

  async saw(ends: readonly SeenEnd[]): Promise<void> {
    for (const { topic, partition, end } of ends) {
      const name = partitionName(topic, partition);
      const known = this.partitions.get(name) ?? { next: 0n, timestampMs: null };
      this.partitions.set(name, { ...known, seenEnd: end });
    }
  }

  apply(batch: Batch): void {
    const steps = parseLogPosition(batch.position);
    for (const { topic, partition, from } of steps) {
      const next = this.partitions.get(partitionName(topic, partition))?.next ?? 0n;
      if (next === from) continue;
      this.refused++;
      throw new TandemError('PARTITION_TAKEN', { topic, partition, from, next });
    }
    for (const { topic, partition, to, timestampMs } of steps) {
      const name = partitionName(topic, partition);
      this.partitions.set(name, { ...this.partitions.get(name), next: to, timestampMs });
    }
    this.batches.push(batch);
    for (const event of batch.events) {
      if (event.kind === 'create') this.ids.push(Number(event.row[0]));
    }
    if (batch.heartbeat !== null) this.heartbeats.push(batch.heartbeat);
    this.unreadable.push(...(batch.unreadable ?? []));
  }
}

export type Limits = {
  readonly maxBytes?: number;
  readonly maxEvents?: number | (() => number);
  readonly signal: AbortSignal;
  /** Before each batch is applied. */
  readonly before?: (batch: Batch) => Promise<void>;
};

/** Does what the engine does: applies, confirms, and rewinds where somebody else was there. */
export async function consume(
  source: KafkaSource,
  target: MemoryTarget,
  { maxBytes = 16_000_000, maxEvents = 20_000, signal, before }: Limits,
): Promise<void> {
  const options = {
    maxBytes,
    signal,
    get maxEvents() {
      return typeof maxEvents === 'number' ? maxEvents : maxEvents();
    },
  };
  for await (const batch of source.batches('' as Position, options)) {
    await (before?.(batch) ?? turn());
    try {
      target.apply(batch);
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'PARTITION_TAKEN') throw error;
      source.rewind();
      continue;
    }
    await source.confirm(batch.position);
  }
}

/**
 * A consumer in the background, which begins again after what may pass, as the engine does. `ended`
 * fails with anything else.
 */
export function consumer(
  source: KafkaSource,
  target: MemoryTarget,
  limits: Omit<Limits, 'signal'> = {},
) {
  const over = new AbortController();
  const restarts: TandemError[] = [];
  const run = async () => {
    while (!over.signal.aborted) {
      await consume(source, target, { ...limits, signal: over.signal }).catch((error: unknown) => {
        if (!(error instanceof TandemError) || error.retry !== 'timed') throw error;
        restarts.push(error);
      });
    }
  };
  const ended = run();
  ended.catch(() => undefined);
  return {
    ended,
    restarts,
    async stop() {
      over.abort();
      await ended;
    },
    /** Waits for a fact, unless the consumer fails first. */
    async until(what: string, fact: () => boolean, timeoutMs = 30_000) {
      const failed = ended.then(() => Promise.reject(new Error('it has ended')));
      await Promise.race([failed, waitFor(async () => fact(), { what, timeoutMs })]);
    },
  };
}
