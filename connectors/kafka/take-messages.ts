import type { RawMessage } from '../../core/log-message.ts';
import type { LogPosition, PartitionStep } from './log-position.ts';
import { sizeOf, type Arrived, type PartitionQueue } from './partition-queue.ts';

export type Taken = {
  readonly messages: readonly RawMessage[];
  /** Roughly what they take in memory. */
  readonly bytes: number;
  readonly position: LogPosition;
};

type Limits = { readonly maxBytes: number; readonly maxEvents: number };

/**
 * Takes messages out of the queues, the oldest first by their timestamps, so that what was changed
 * together in the source travels together; within a partition always in its order. At least one
 * message, however large, and null where there is nothing to tell.
 */
export function takeMessages(queues: Iterable<PartitionQueue>, limits: Limits): Taken | null {
  const all = [...queues];
  const messages: RawMessage[] = [];
  let bytes = 0;
  const isFull = (size: number) =>
    messages.length > 0 && (messages.length >= limits.maxEvents || bytes + size > limits.maxBytes);

  let heads = headsOf(all);
  while (heads.first !== null) {
    const { queue, until } = heads.first;
    let message = queue.peek();
    for (; message !== null && Number(message.timestamp) <= until; message = queue.peek()) {
      const size = sizeOf(message);
      if (isFull(size)) return result(all, messages, bytes);
      queue.take(message, size);
      messages.push(toRaw(queue, message));
      bytes += size;
    }
    heads = headsOf(all);
  }
  return result(all, messages, bytes);
}

/** The queue with the oldest message, and until which timestamp no other queue has an older one. */
function headsOf(queues: readonly PartitionQueue[]) {
  let oldest: PartitionQueue | null = null;
  let oldestMs = Infinity;
  let until = Infinity;
  for (const queue of queues) {
    const head = queue.peek();
    if (head === null) continue;
    const timeMs = Number(head.timestamp);
    if (oldest === null || timeMs < oldestMs) {
      until = oldestMs;
      oldest = queue;
      oldestMs = timeMs;
    } else if (timeMs < until) {
      until = timeMs;
    }
  }
  // A producer's clock may have gone back: the head itself is always taken.
  return { first: oldest === null ? null : { queue: oldest, until: Math.max(until, oldestMs) } };
}

function result(
  queues: readonly PartitionQueue[],
  messages: readonly RawMessage[],
  bytes: number,
): Taken | null {
  const position: PartitionStep[] = [];
  for (const queue of queues) {
    const step = queue.step();
    if (step !== null) position.push(step);
  }
  return position.length === 0 ? null : { messages, bytes, position };
}

/** As it is handed on: numbers are numbers. */
export function toRaw(
  { topic, partition }: Pick<PartitionQueue, 'topic' | 'partition'>,
  message: Arrived,
): RawMessage {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: singleHeaders(message.headers),
  };
}

/** A header may be there several times; the last one counts, as for Java's `lastHeader`. */
function singleHeaders(headers: Arrived['headers']): RawMessage['headers'] {
  if (headers === undefined) return {};
  for (const name in headers) {
    if (!Array.isArray(headers[name])) continue;
    const pairs = Object.entries(headers).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.at(-1) : value,
    ]);
    return Object.fromEntries(pairs) as RawMessage['headers'];
  }
  return headers as RawMessage['headers'];
}
