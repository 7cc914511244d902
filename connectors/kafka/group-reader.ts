import type {
  Admin,
  Batch as FetchedBatch,
  Consumer,
  ConsumerGroupJoinEvent,
  EachBatchPayload,
  Kafka,
} from 'kafkajs';
import { Doorbell } from '../../core/doorbell.ts';
import { TandemError } from '../../core/errors.ts';
import type { Observer } from '../../core/ports.ts';
import { tellUnanswered } from './client.ts';
import { GroupOffsets } from './group-offsets.ts';
import { judgeCluster, judgeLog } from './judge-log.ts';
import { kafkaError } from './kafka-error.ts';
import { readClusterId, readLogEnds, requireTopics, type LogEnds } from './log-ends.ts';
import {
  partitionName,
  type LogPosition,
  type LogPositions,
  type SeenEnd,
  type StoredPartition,
} from './log-position.ts';
import { PartitionQueue } from './partition-queue.ts';
import { takeMessages, type Taken } from './take-messages.ts';

/** How soon a group notices; the defaults are for production, tests are in more of a hurry. */
export type GroupTiming = {
  /** A member that is silent for so long has its partitions taken away. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How long the others wait for a member that has been told to join again. */
  readonly rebalanceTimeoutMs: number;
  /** New partitions are noticed after so long at the latest. */
  readonly metadataMaxAgeMs: number;
};

export const DEFAULT_TIMING: GroupTiming = {
  sessionTimeoutMs: 15_000,
  heartbeatMs: 1_000,
  rebalanceTimeoutMs: 30_000,
  metadataMaxAgeMs: 30_000,
};

export type GroupReaderOptions = {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Topics that may begin anywhere: see `judgeLog`. */
  readonly mayBeginLate: (topic: string) => boolean;
  readonly positions: LogPositions;
  readonly observer: Observer;
  readonly timing: GroupTiming;
  /** What may wait here; nothing more is fetched while it does. */
  readonly maxBytes: number;
};

/**
 * A fetch is answered as soon as there is something. Where there is nothing, or all is paused, this
 * is how long the client waits before it looks again, and so how late a resume may take effect.
 */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 10_485_760;
/** A client that is told to fetch from an offset and keeps coming from another is no use. */
const MISPLACED_LIMIT = 10;
/** A broker that does not answer must not hold up an end. */
const CLOSE_MS = 3_000;

/**
 * One membership in a consumer group: what has arrived of the partitions that are ours. Where to
 * begin is the target's to say; what the group has stored is never believed.
 *
 * kafkajs hands fetches over one after another and waits for the handler, so the handler only puts
 * them into queues. Queued is what begins where it is expected, and nothing else: after a seek, a
 * reset (kafkajs goes to the log's first message by itself where an offset has gone), or a rebalance
 * a fetch may come from anywhere.
 */
export class GroupReader {
  readonly bell = new Doorbell();
  failure: TandemError | null = null;

  readonly #options: GroupReaderOptions;
  readonly #consumer: Consumer;
  readonly #admin: Admin;
  readonly #offsets: GroupOffsets;
  #queues: ReadonlyMap<string, PartitionQueue> = new Map();
  #memberId = '';
  /** Rises with every new placing: what an earlier one found out is out of date. */
  #placing = 0;
  #isPlacing = false;
  #misplaced = 0;
  #isClosed = false;
  #opening: Promise<void> = Promise.resolve();

  constructor(options: GroupReaderOptions) {
    const { kafka, groupId, timing, maxBytes } = options;
    this.#options = options;
    this.#admin = kafka.admin();
    this.#consumer = kafka.consumer({
      groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: timing.sessionTimeoutMs,
      // A third at most: one that is lost must not end the session.
      heartbeatInterval: Math.min(timing.heartbeatMs, timing.sessionTimeoutMs / 3),
      rebalanceTimeout: timing.rebalanceTimeoutMs,
      metadataMaxAge: timing.metadataMaxAgeMs,
      minBytes: 1,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytes: Math.max(1_048_576, Math.min(FETCH_BYTES, Math.floor(maxBytes / 4))),
      // Beginning anew is for the loop around, which pauses and tells.
      retry: { restartOnFailure: async () => false },
    });
    this.#offsets = new GroupOffsets(this.#consumer, options.observer);
  }

  /** The partitions that are ours at present, as `topic/partition`. */
  get assigned(): readonly string[] {
    return [...this.#queues.keys()];
  }

  get waitingBytes(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.bytes, 0);
  }

  /** Joins the group. Failures from then on are told by `failure`. */
  open(): Promise<void> {
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { topics } = this.#options;
    const consumer = this.#consumer;
    try {
      await this.#admin.connect();
      await requireTopics(this.#admin, topics);
      await consumer.connect();
      // Only where kafkajs resets an offset by itself, which is then noticed: see `#arrived`.
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    } catch (error) {
      throw kafkaError(error, 'connect');
    }
    if (this.#isClosed) return;
    const { GROUP_JOIN, START_BATCH_PROCESS, CRASH, REQUEST_TIMEOUT } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload));
    consumer.on(CRASH, ({ payload }) => this.#fail(payload.error, 'consume'));
    consumer.on(REQUEST_TIMEOUT, (event) => tellUnanswered(event, this.#options.observer));
    consumer.on(START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) this.#passOver(payload);
    });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => this.#arrived(payload),
    });
  }

  /** Takes what is waiting, up to the limits; null where nothing is. */
  take(limits: { readonly maxBytes: number; readonly maxEvents: number }): Taken | null {
    const ready = [...this.#queues.values()].filter((queue) => queue.isPlaced);
    const taken = takeMessages(ready, limits);
    if (taken !== null) this.#steerFlow();
    return taken;
  }

  /** Of the partitions that are ours at present, by `topic/partition`; another map after each change. */
  get queues(): ReadonlyMap<string, PartitionQueue> {
    return this.#queues;
  }

  /** Forgets what has arrived, and begins again where the target stands. */
  rewind(): void {
    for (const queue of this.#queues.values()) queue.forget();
    this.#misplaced = 0;
    void this.#place();
  }

  /** What the target holds now, for whoever looks at the group. */
  committed(position: LogPosition): void {
    this.#offsets.note(
      position.filter(({ topic, partition }) => this.#queues.has(partitionName(topic, partition))),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#placing++;
    // One that has not joined yet cannot leave: kafkajs would join after its end.
    const closing = this.#opening
      .catch(() => undefined)
      .then(() => this.#offsets.close())
      .then(() => this.#consumer.disconnect())
      .finally(() => this.#admin.disconnect())
      .catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    await Promise.race([closing, late]);
    clearTimeout(timer);
  }

  #joined({ memberId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    // Who stays a member loses partitions only by a rebalance that it takes part in; under another
    // name we were thrown out, and others may have moved what was ours.
    const before = memberId === this.#memberId ? this.#queues : new Map<string, PartitionQueue>();
    const queues = new Map<string, PartitionQueue>();
    for (const [topic, partitions] of Object.entries(memberAssignment)) {
      for (const partition of partitions) {
        const kept = before.get(partitionName(topic, partition));
        const queue = kept ?? new PartitionQueue(topic, partition);
        queues.set(queue.name, queue);
      }
    }
    this.#queues = queues;
    this.#memberId = memberId;
    this.#offsets.keepOnly(new Set(queues.keys()));
    this.#options.observer.event('kafka.assigned', { partitions: queues.size });
    void this.#place();
  }

  /** Pauses all, looks where the target stands and what the log holds, and lets them go on there. */
  async #place(): Promise<void> {
    if (this.#isClosed) return;
    const placing = ++this.#placing;
    this.#isPlacing = true;
    const { positions, topics, mayBeginLate } = this.#options;
    const queues = [...this.#queues.values()];
    this.#setPaused(queues, true, 'always');
    try {
      const stored = await positions.read();
      const [cluster, ends] = await Promise.all([
        readClusterId(this.#admin),
        readLogEnds(this.#admin, topics),
      ]);
      if (placing !== this.#placing) return;
      judgeCluster(stored.clusterId, cluster);
      const seen: SeenEnd[] = [];
      for (const queue of queues) {
        const known = stored.partitions.get(queue.name);
        if (!queue.isPlaced) queue.begin(known ?? { next: 0n, timestampMs: null });
        const { topic, partition, name } = queue;
        const { next } = queue.end;
        const isKnown = known !== undefined || next > 0n;
        const seenEnd = known?.seenEnd ?? 0n;
        const verdict = judgeLog(
          { topic, partition, next, isKnown, seenEnd, mayBeginLate: mayBeginLate(topic) },
          ends.get(name),
        );
        seen.push(...newlySeen(queue, known, ends.get(name)));
        queue.isUnproven ||= verdict === 'unproven';
        const offset = queue.place(ends.get(name)?.low ?? 0n).toString();
        this.#consumer.seek({ topic, partition, offset });
      }
      if (seen.length > 0) await positions.saw(seen);
      if (placing !== this.#placing) return;
      this.#isPlacing = false;
      this.bell.ring(); // a place that was found may be worth noting
      this.#steerFlow();
    } catch (error) {
      if (placing === this.#placing) this.#fail(error, 'find the place in the log');
    }
  }

  #arrived(payload: EachBatchPayload): void {
    const { batch } = payload;
    const queue = this.#queues.get(partitionName(batch.topic, batch.partition));
    // Not ours any more, or fetched before the place to read from was known or changed.
    if (queue === undefined || !queue.isPlaced || payload.isStale()) return;
    const last = batch.lastOffset();
    const { messages } = batch;
    const records = recordsIn(batch);
    const { hasGaps } = queue;
    const verdict = queue.accept(fetchedFrom(batch), { messages, records, end: BigInt(last) + 1n });
    if (verdict === 'taken') {
      if (queue.hasGaps && !hasGaps) this.#tellGap(queue);
      payload.resolveOffset(last);
      this.#misplaced = 0;
      this.bell.ring();
      this.#steerFlow();
    } else if (verdict === 'elsewhere') {
      this.#notExpected(queue, batch);
    } else {
      const { topic, partition } = batch;
      const offset = queue.end.next - 1n;
      this.#fail(new TandemError('LOG_RECREATED', { topic, partition, changed: offset }), 'read');
    }
  }

  #tellGap({ topic, partition, fetchFrom }: PartitionQueue): void {
    const facts = { topic, partition, before: fetchFrom };
    this.#options.observer.event('kafka.compacted', facts, 'warn');
  }

  #passOver(batch: {
    topic: string;
    partition: number;
    firstOffset: string | null;
    lastOffset: string;
  }) {
    const queue = this.#queues.get(partitionName(batch.topic, batch.partition));
    if (queue === undefined || !queue.isPlaced) return;
    const { firstOffset, lastOffset } = batch;
    queue.passOver(firstOffset === null ? null : BigInt(firstOffset), BigInt(lastOffset));
    this.bell.ring();
  }

  /** The log may have lost what comes next; if it has not, the fetch is asked for once more. */
  #notExpected(queue: PartitionQueue, batch: FetchedBatch): void {
    if (this.#isPlacing) return;
    const { topic, partition } = batch;
    const facts = { topic, partition, expected: queue.fetchFrom, fetched: fetchedFrom(batch) };
    this.#options.observer.event('kafka.misplaced', facts, 'debug');
    if (++this.#misplaced > MISPLACED_LIMIT) {
      this.#fail(new TandemError('PROTOCOL_VIOLATION', facts), 'read');
    } else {
      void this.#place();
    }
  }

  /** Back-pressure: nothing is fetched while enough is waiting. */
  #steerFlow(): void {
    if (this.#isPlacing) return;
    const { maxBytes } = this.#options;
    const queues = [...this.#queues.values()];
    const bytes = this.waitingBytes;
    if (bytes >= maxBytes) this.#setPaused(queues, true);
    else if (bytes <= maxBytes / 2) this.#setPaused(queues, false);
  }

  #setPaused(queues: readonly PartitionQueue[], isPaused: boolean, when?: 'always'): void {
    if (this.#isClosed || this.failure !== null) return;
    const changed = queues.filter((queue) => when === 'always' || queue.isPaused !== isPaused);
    if (changed.length === 0) return;
    for (const queue of changed) queue.isPaused = isPaused;
    const places = changed.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
    try {
      if (isPaused) this.#consumer.pause(places);
      else this.#consumer.resume(places);
    } catch {
      // It has crashed, and tells why when it has closed its connections.
    }
  }

  #fail(error: unknown, what: string): void {
    this.failure ??= kafkaError(error, what);
    this.bell.ring();
  }
}

/**
 * What is to be remembered of a partition: that a topic was deleted and made anew would not be seen
 * otherwise as long as nothing was read of it. One whose beginning has gone is known by its messages.
 */
function newlySeen(
  { topic, partition }: PartitionQueue,
  known: StoredPartition | undefined,
  ends: LogEnds | undefined,
): readonly SeenEnd[] {
  if (ends === undefined || (known === undefined && ends.low > 0n)) return [];
  const isNew = known === undefined || ends.high > (known.seenEnd ?? known.next);
  return isNew ? [{ topic, partition, end: ends.high }] : [];
}

/** Messages, marks of transactions, and what was aborted: kafkajs knows them all, its types do not. */
function recordsIn(batch: FetchedBatch): number {
  const known = batch as FetchedBatch & { readonly messagesWithinOffset: readonly unknown[] };
  return known.messagesWithinOffset.length;
}

/** kafkajs knows where it fetched from, its types do not. */
function fetchedFrom(batch: FetchedBatch): bigint {
  return BigInt((batch as FetchedBatch & { readonly fetchedOffset: string }).fetchedOffset);
}
