import { TandemError } from '../../core/errors.ts';
import type { Position } from '../../core/ports.ts';

/** How far one partition is moved by a batch: it holds the offsets from `from` up to `to`. */
export type PartitionStep = {
  readonly topic: string;
  readonly partition: number;
  /** Where the target must stand: it is 0 for a partition that it does not know yet. */
  readonly from: bigint;
  /** Where it stands then. */
  readonly to: bigint;
  /** Of the message before `to`, by which it is known again; null where there is none to compare. */
  readonly timestampMs: number | null;
  /** Compaction has taken messages out of the partition, here or before. Default: not known. */
  readonly hasGaps?: boolean;
};

/** What a `Position` of Kafka holds: the partitions that a batch moves. */
export type LogPosition = readonly PartitionStep[];

/** Where the target stands. A partition that is not named stands at 0. */
export type StoredPositions = {
  /** Of the cluster that the target was fed from; null where it was not fed yet. */
  readonly clusterId: string | null;
  /** By `topic/partition`. */
  readonly partitions: ReadonlyMap<string, StoredPartition>;
};
export type StoredPartition = {
  readonly next: bigint;
  readonly timestampMs: number | null;
  /** The partition has reached as far as this once, so it never ends before it. Default: not known. */
  readonly seenEnd?: bigint;
  /** Messages before it were missing: see `PartitionStep`. */
  readonly hasGaps?: boolean;
};

/** How far a partition reaches, seen before anything of it was read. */
export type SeenEnd = {
  readonly topic: string;
  readonly partition: number;
  readonly end: bigint;
};

/** Reads where the target stands, which is where this source goes on. */
export interface LogPositions {
  read(): Promise<StoredPositions>;
  /** Remembers how far these reach; of those that the target knows nothing of yet, that they are there. */
  saw(ends: readonly SeenEnd[]): Promise<void>;
}

/** The name of a partition wherever one is looked up. */
export function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** What `partitionName` was made from. */
export function partitionOf(name: string): { readonly topic: string; readonly partition: number } {
  const slash = name.lastIndexOf('/');
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) };
}

export function formatLogPosition(steps: LogPosition): Position {
  const plain = steps.map(({ topic, partition, from, to, timestampMs, hasGaps }) => ({
    topic,
    partition,
    from: from.toString(),
    to: to.toString(),
    timestamp: timestampMs,
    ...(hasGaps === true ? { hasGaps } : {}),
  }));
  return JSON.stringify(plain) as Position;
}

/** @throws TandemError `PROTOCOL_VIOLATION`: only what `formatLogPosition` made can be read */
export function parseLogPosition(position: Position): LogPosition {
  try {
    const plain = JSON.parse(position) as Record<string, unknown>[];
    return plain.map(({ topic, partition, from, to, timestamp, hasGaps }) => ({
      topic: String(topic),
      partition: Number(partition),
      from: BigInt(String(from)),
      to: BigInt(String(to)),
      timestampMs: timestamp === null ? null : Number(timestamp),
      hasGaps: hasGaps === true,
    }));
  } catch (cause) {
    throw new TandemError('PROTOCOL_VIOLATION', { what: 'a position in a log' }, cause);
  }
}
