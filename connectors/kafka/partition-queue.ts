import type { PartitionStep, StoredPartition } from './log-position.ts';
import { partitionName } from './log-position.ts';
import { Told } from './told.ts';

/** A message as kafkajs gives it: numbers are text. */
export type Arrived = {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
};

/** What one fetch brought: some messages, and how far it reached. */
type Chunk = { readonly messages: readonly Arrived[]; readonly end: bigint };

type Fetched = Chunk & { readonly records: number };

/** Of a message in memory beside its bytes, measured: an object, two texts, two buffers. */
const MESSAGE_OVERHEAD = 500;
const HEADER_OVERHEAD = 150;

/** Roughly what a message takes in memory. */
export function sizeOf(message: Arrived): number {
  let size = MESSAGE_OVERHEAD + (message.key?.length ?? 0) + (message.value?.length ?? 0);
  if (message.headers === undefined) return size;
  for (const name in message.headers) size += HEADER_OVERHEAD + name.length;
  return size;
}

/**
 * What has arrived of one partition and was not given out yet. Takes a fetch only where it begins
 * exactly behind the one before: offsets may be missing in between (compaction, the marks of
 * transactions), so the offsets of messages alone could not tell a gap.
 */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly name: string;
  /** Roughly what is waiting, in memory. */
  bytes = 0;
  /** Nothing is taken before it is told where to begin. */
  isPlaced = false;
  isPaused = false;
  /** The target knows nothing of it, and its first messages have gone: were they too old for us? */
  isUnproven = false;
  /** Compaction has taken messages out, before we came or since: changes that nobody tells us of. */
  hasGaps = false;
  /** What those that were decoded have said. */
  readonly told = new Told();

  readonly #chunks: Chunk[] = [];
  #taken = 0;
  #lastTaken: Arrived | null = null;
  /** Everything before it was given out. */
  #given = 0n;
  /** Behind the last chunk that was taken out as a whole; null within one. */
  #givenChunk: bigint | null = null;
  /** Everything before it has arrived. */
  #end = 0n;
  /** Of the message before `#end`; null where there is none to compare. */
  #endTimestampMs: number | null = null;
  /** The fetch that is awaited begins here. */
  #fetchFrom = 0n;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
    this.name = partitionName(topic, partition);
  }

  /** As far as it has arrived. */
  get end(): StoredPartition {
    return { next: this.#end, timestampMs: this.#endTimestampMs };
  }

  get fetchFrom(): bigint {
    return this.#fetchFrom;
  }

  /** Nothing of what has arrived counts any more. */
  forget(): void {
    this.isPlaced = false;
    this.#chunks.length = 0;
    this.bytes = 0;
    this.#taken = 0;
    this.#lastTaken = null;
    this.#givenChunk = null;
  }

  /** The target stands at `stored`. */
  begin(stored: StoredPartition): void {
    this.forget();
    this.#given = stored.next;
    this.#end = stored.next;
    this.#endTimestampMs = stored.timestampMs;
    this.hasGaps = stored.hasGaps ?? false;
  }

  /**
   * Where to fetch from, now that the log begins at `low`: one message before the end, if that is
   * still there, to see that it is the message that was there.
   */
  place(low: bigint): bigint {
    if (this.#end < low) {
      // Its caller has judged that nothing is lost by it, or that the next message will tell. Where
      // nothing is to be told, the target notes it: what is deleted later is another matter.
      if (this.isUnproven) this.#end = low;
      else this.#append([], low);
      this.#endTimestampMs = null;
    }
    const canCompare = this.#endTimestampMs !== null && this.#end > low;
    this.#fetchFrom = canCompare ? this.#end - 1n : this.#end;
    this.isPlaced = true;
    return this.#fetchFrom;
  }

  /**
   * Takes what a fetch from `fetchedFrom` brought; it reached up to `end`.
   *
   * @param records how many records it held, with those that are no messages
   * @returns `elsewhere` where it does not begin at the awaited offset, `another log` where the
   *   message that was there before is another one now
   */
  accept(
    fetchedFrom: bigint,
    { messages, records, end }: Fetched,
  ): 'taken' | 'elsewhere' | 'another log' {
    if (fetchedFrom !== this.#fetchFrom) return 'elsewhere';
    let fresh = messages;
    const [first] = messages;
    if (this.#fetchFrom < this.#end && first !== undefined && BigInt(first.offset) < this.#end) {
      if (Number(first.timestamp) !== this.#endTimestampMs) return 'another log';
      fresh = messages.slice(1);
    }
    this.hasGaps ||= BigInt(records) < end - fetchedFrom;
    this.#append(fresh, end);
    return 'taken';
  }

  /** A fetch that brought nothing for us: only marks of transactions, or what compaction has left. */
  passOver(first: bigint | null, last: bigint): void {
    // Only from the awaited offset on can it be said that nothing was in between.
    if ((first ?? last) !== this.#fetchFrom) return;
    this.hasGaps ||= first === null;
    this.#append([], last + 1n);
  }

  #append(messages: readonly Arrived[], end: bigint): void {
    this.#fetchFrom = end;
    if (end <= this.#end) return;
    const last = messages.at(-1);
    const isEnd = last !== undefined && BigInt(last.offset) + 1n === end;
    this.#endTimestampMs = isEnd ? Number(last.timestamp) : null;
    this.#end = end;
    this.#chunks.push({ messages, end });
    for (const message of messages) this.bytes += sizeOf(message);
  }

  /** The next message, without taking it; null where there is none. */
  peek(): Arrived | null {
    for (;;) {
      const [chunk] = this.#chunks;
      if (chunk === undefined) return null;
      const message = chunk.messages[this.#taken];
      if (message !== undefined) return message;
      this.#chunks.shift();
      this.#taken = 0;
      this.#givenChunk = chunk.end;
    }
  }

  /** Takes what `peek` has shown. */
  take(message: Arrived, size: number): void {
    this.#lastTaken = message;
    this.#givenChunk = null;
    this.#taken++;
    this.bytes -= size;
  }

  /** How far the partition is moved by what was taken since the last step; null: not at all. */
  step(): PartitionStep | null {
    this.peek(); // passes the end of a chunk
    const last = this.#lastTaken;
    const behindLast = last === null ? this.#given : BigInt(last.offset) + 1n;
    const to = this.#givenChunk ?? behindLast;
    const from = this.#given;
    if (to <= from) return null;
    const timestampMs = last !== null && to === behindLast ? Number(last.timestamp) : null;
    this.#given = to;
    this.#lastTaken = null;
    this.#givenChunk = null;
    const { topic, partition, hasGaps } = this;
    return { topic, partition, from, to, timestampMs, hasGaps };
  }
}
