import type { EachBatchPayload, Kafka } from 'kafkajs';
import { TandemError } from '../../core/errors.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { Arrived } from './partition-queue.ts';
import { readAlone } from './read-alone.ts';
import { toRaw } from './take-messages.ts';

/** Offsets of a partition: from `from` up to, but without, `to`. */
export type OffsetRange = { readonly from: bigint; readonly to: bigint };

/** `from` null: from the first one that is there. */
type Range = { readonly from: bigint | null; readonly to: bigint };

/** Messages that are handed over at a time. */
const PORTION = 500;
/** Between two portions a member tells that it is alive; one may take long, beside a busy stream. */
const SESSION_MS = 120_000;
const FETCH_BYTES = 4_194_304;

/**
 * Reads parts of a topic, partition by partition as they come. Nothing more is fetched before a
 * portion was visited.
 *
 * @throws TandemError `LOG_EXPIRED` where something goes while it is read; `KAFKA_UNREACHABLE`,
 *   `KAFKA_REFUSED`; whatever `visit` throws
 */
export async function readRange(
  kafka: Kafka,
  topic: string,
  ranges: ReadonlyMap<number, Range>,
  visit: (messages: readonly RawMessage[]) => Promise<void>,
): Promise<void> {
  const open = new Map([...ranges].filter(([, { from, to }]) => to > (from ?? 0n)));
  if (open.size === 0) return;
  const reading = {
    topics: [topic],
    attempt: { what: 'read a part of it', topic },
    tuning: { maxBytes: FETCH_BYTES, sessionTimeout: SESSION_MS, rebalanceTimeout: SESSION_MS },
  };
  await readAlone(kafka, reading, (consumer, { done, fail }) => {
    const { GROUP_JOIN, END_BATCH_PROCESS } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      for (const partition of payload.memberAssignment[topic] ?? []) {
        const range = open.get(partition);
        if (range === undefined) consumer.pause([{ topic, partitions: [partition] }]);
        else if (range.from !== null)
          consumer.seek({ topic, partition, offset: String(range.from) });
      }
    });
    consumer.on(END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
      const range = open.get(partition);
      if (range !== undefined && BigInt(lastOffset) + 1n >= range.to) open.delete(partition);
      if (open.size === 0) done();
    });
    return (payload) => readBatch(payload, open, visit).catch(fail);
  });
}

/** What of a fetch is of the range. One that was under way before the seek may be from elsewhere. */
async function readBatch(
  payload: EachBatchPayload,
  open: Map<number, Range>,
  visit: (messages: readonly RawMessage[]) => Promise<void>,
): Promise<void> {
  const { batch } = payload;
  const { topic, partition } = batch;
  const range = open.get(partition);
  if (range === undefined) return;
  const { fetchedOffset } = batch as typeof batch & { readonly fetchedOffset: string };
  const first = BigInt(fetchedOffset);
  const { to } = range;
  const expected = range.from ?? first;
  if (first > expected) {
    throw new TandemError('LOG_EXPIRED', { topic, partition, expected, first });
  }
  const mine = batch.messages.filter(({ offset }) => {
    const at = BigInt(offset);
    return at >= expected && at < to;
  });
  for (let i = 0; i < mine.length; i += PORTION) {
    const portion = mine.slice(i, i + PORTION);
    await visit(portion.map((message) => toRaw({ topic, partition }, message as Arrived)));
    await payload.heartbeat();
  }
  const end = BigInt(batch.lastOffset()) + 1n;
  if (end > expected) open.set(partition, { from: end < to ? end : to, to });
}
