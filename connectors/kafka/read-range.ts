import type { EachBatchPayload, Kafka } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { TandemError } from '../../core/errors.ts';
import type { RawMessage } from '../../core/log-message.ts';
import type { Arrived } from './partition-queue.ts';
import { toRaw } from './take-messages.ts';
import { withAdmin } from './with-admin.ts';

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
 * Reads parts of a topic, partition by partition as they come, by a group of its own: the group that
 * consumes it notices nothing. Nothing more is fetched before a portion was visited.
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
  const groupId = `tandem-read-${randomUUID()}`;
  await withAdmin(kafka, { what: 'read a part of it', topic }, async (admin) => {
    await readOpen(kafka, { topic, groupId, open }, visit);
    await admin.deleteGroups([groupId]).catch(() => undefined); // it goes by itself after a week
  });
}

type Reading = {
  readonly topic: string;
  readonly groupId: string;
  /** By partition: what is still to be read. */
  readonly open: Map<number, Range>;
};

async function readOpen(
  kafka: Kafka,
  { topic, groupId, open }: Reading,
  visit: (messages: readonly RawMessage[]) => Promise<void>,
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    maxBytes: FETCH_BYTES,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: SESSION_MS,
    readUncommitted: true, // the ends count what a transaction has not committed too
    retry: { restartOnFailure: async () => false },
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const { CRASH, GROUP_JOIN, END_BATCH_PROCESS } = consumer.events;
      consumer.on(CRASH, ({ payload }) => reject(payload.error));
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
        if (open.size === 0) resolve();
      });
      const eachBatch = async (payload: EachBatchPayload) => {
        await readBatch(payload, open, visit).catch(reject);
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
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
