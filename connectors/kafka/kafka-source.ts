import type { Kafka } from 'kafkajs';
import { lostSight, type ChangeEvent } from '../../core/change-event.ts';
import { TandemError } from '../../core/errors.ts';
import type { Decoded, MessageDecoder, RawMessage } from '../../core/log-message.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type {
  Batch,
  BatchOptions,
  ChangeSource,
  Heartbeat,
  Observer,
  Position,
  Unreadable,
} from '../../core/ports.ts';
import { compareVersions, type Lsn } from '../../core/version.ts';
import type { DeadLetterBox, DeadLetter } from './dead-letters.ts';
import { DEFAULT_TIMING, GroupReader, type GroupTiming } from './group-reader.ts';
import {
  formatLogPosition,
  parseLogPosition,
  partitionName,
  type LogPositions,
} from './log-position.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { Taken } from './take-messages.ts';

export type KafkaSourceOptions = {
  readonly kafka: Kafka;
  readonly groupId: string;
  /** By topic: whose changes it carries. */
  readonly tables: ReadonlyMap<string, Pick<MirrorTable, 'name'>>;
  /** Where the source's heartbeats come by; null: another group reads them. */
  readonly messageTopic: string | null;
  readonly decoder: MessageDecoder;
  readonly positions: LogPositions;
  readonly deadLetters: DeadLetterBox;
  /** By table: whose rows lack a change of it that could not be read. Default: nobody is named. */
  readonly readers?: ReadonlyMap<string, readonly string[]>;
  /**
   * What the source committed before is in the target, whatever the log says of it: messages so old
   * may have gone before a partition was read for the first time.
   */
  readonly heldUntil: Lsn;
  /** By table: what was committed before is left out, because it joins the stream there. */
  readonly joinsAt?: ReadonlyMap<string, Lsn>;
  /** Told of every heartbeat as soon as it is read, which is before its batch is committed. */
  readonly sawHeartbeat?: (heartbeat: Heartbeat) => void;
  readonly observer: Observer;
  readonly timing?: Partial<GroupTiming>;
};

/**
 * Where so much of a batch is waiting, it is decoded while the target works on the one before. Of
 * less it is better to wait for more, which then travels together.
 */
const AHEAD_SHARE = 1 / 4;
/** Messages that are decoded before the target's answers are looked at: a few milliseconds. */
const SLICE = 250;
const othersTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/**
 * The topics of a stream, read as a member of a consumer group: the partitions that are ours, while
 * they are. The position that a batch carries names the partitions that it moves, and from where to
 * where (`parseLogPosition`); the target moves each only if it stands at `from`, because a partition
 * may have become another member's meanwhile. Where it does not, `rewind`.
 */
export class KafkaSource implements ChangeSource {
  readonly #options: KafkaSourceOptions;
  #reader: GroupReader | null = null;
  #rewinds = 0;

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
  }

  /** The partitions that are ours at present, as `topic/partition`. */
  assigned(): readonly string[] {
    return this.#reader?.assigned ?? [];
  }

  /** Roughly what has arrived and was not given out yet, in memory. */
  get waitingBytes(): number {
    return this.#reader?.waitingBytes ?? 0;
  }

  /**
   * `after` is not looked at: where each partition goes on is read from the target when it becomes
   * ours.
   *
   * @throws TandemError `KAFKA_UNREACHABLE` (retry 'timed'); `KAFKA_REFUSED`, `TOPIC_MISSING`,
   *   `LOG_EXPIRED`, `LOG_RECREATED`
   */
  async *batches(_after: Position, options: BatchOptions): AsyncGenerator<Batch, void> {
    const { signal, maxBytes } = options;
    const { kafka, groupId, tables, messageTopic, positions, observer } = this.#options;
    const reader = new GroupReader({
      kafka,
      groupId,
      topics: messageTopic === null ? [...tables.keys()] : [...tables.keys(), messageTopic],
      mayBeginLate: (topic) => topic === messageTopic || this.#joinOf(tables.get(topic)) !== null,
      positions,
      observer,
      timing: { ...DEFAULT_TIMING, ...this.#options.timing },
      maxBytes,
    });
    const ring = () => reader.bell.ring();
    signal.addEventListener('abort', ring);
    this.#reader = reader;
    try {
      await unlessAborted(reader.open(), signal);
      let ahead: Promise<Next | null> | null = null;
      while (!signal.aborted) {
        if (reader.failure !== null) throw reader.failure;
        const next: Next | null = await (ahead ?? this.#next(reader, options));
        ahead = null;
        if (next === null) {
          await reader.bell.wait(null);
        } else if (next.rewinds === this.#rewinds) {
          if (reader.waitingBytes >= maxBytes * AHEAD_SHARE) {
            ahead = this.#next(reader, options);
            ahead.catch(() => undefined); // told when it is asked for
          }
          yield next.batch;
        }
      }
    } finally {
      signal.removeEventListener('abort', ring);
      if (this.#reader === reader) this.#reader = null;
      await reader.close();
    }
  }

  async confirm(position: Position): Promise<void> {
    this.#reader?.committed(parseLogPosition(position));
  }

  rewind(): void {
    this.#rewinds++;
    this.#reader?.rewind();
  }

  async #next(reader: GroupReader, options: BatchOptions): Promise<Next | null> {
    const taken = reader.take(options);
    if (taken === null) return null;
    const rewinds = this.#rewinds;
    const { decoder, deadLetters } = this.#options;
    // Those that they came from: a rebalance may take partitions away meanwhile.
    const { queues } = reader;
    if (taken.messages.length > 0) await decoder.prepare(taken.messages);
    const { letters, ...read } = await this.#decode(queues, taken.messages);
    refuseMany(letters, taken.messages.length);
    // Before the batch is given out: what the target notes down can be found from then on.
    if (letters.length > 0) await deadLetters.keep(letters);
    return { batch: toBatch(taken, read, letters), rewinds };
  }

  async #decode(queues: Queues, messages: readonly RawMessage[]): Promise<Read> {
    const { decoder } = this.#options;
    const events: ChangeEvent[] = [];
    const letters: DeadLetter[] = [];
    let sentAtMs: number | null = null;
    for (const [i, message] of messages.entries()) {
      if (i % SLICE === SLICE - 1) await othersTurn();
      const queue = queues.get(partitionName(message.topic, message.partition));
      if (message.value === null && queue?.told.hasDeleted(message.key) === true) continue;
      const decoded = decoder.decode(message);
      queue?.told.note(message, decoded);
      switch (decoded.kind) {
        case 'change':
          if (queue?.isUnproven === true) this.#prove(queue, message, decoded.event);
          if (this.#isOfStream(decoded.event)) events.push(completeIn(queue, decoded.event));
          break;
        case 'tombstone':
          // Of no time, so it belongs to the stream whenever a table joined.
          events.push(lostSight(decoded.table, decoded.key, queue?.told.after));
          break;
        case 'heartbeat':
          sentAtMs = Math.max(decoded.sentAtMs, sentAtMs ?? 0);
          break;
        case 'unreadable':
          letters.push(this.#letterOf(message, decoded));
          break;
        case 'nothing':
          break;
      }
    }
    const heartbeat = sentAtMs === null ? null : { sentAtMs };
    if (heartbeat !== null) this.#options.sawHeartbeat?.(heartbeat);
    return { events: inOrder(events), heartbeat, letters };
  }

  #letterOf(message: RawMessage, { code, message: reason }: NotRead): DeadLetter {
    const table = this.#options.tables.get(message.topic)?.name ?? null;
    const entities = this.#options.readers?.get(table ?? '') ?? [];
    return { message, table, entities, code, reason };
  }

  #isOfStream({ table, version }: ChangeEvent): boolean {
    const joins = this.#joinOf(table);
    return joins === null || version.commitLsn >= joins;
  }

  #joinOf(table: Pick<MirrorTable, 'name'> | undefined): Lsn | null {
    return (table && this.#options.joinsAt?.get(table.name)) ?? null;
  }

  /** The first change of a partition whose beginning has gone: was all that has gone too old? */
  #prove(
    queue: PartitionQueue,
    { topic, partition, offset }: RawMessage,
    event: ChangeEvent,
  ): void {
    const { heldUntil } = this.#options;
    const joins = this.#joinOf(event.table);
    const held = joins !== null && joins > heldUntil ? joins : heldUntil;
    if (event.version.commitLsn > held) {
      throw new TandemError('LOG_EXPIRED', { topic, partition, expected: 0n, first: offset });
    }
    queue.isUnproven = false;
  }
}

/**
 * An update that leaves large values out means those of the row before it, as the log tells it. Where
 * messages are missing, that need not be the row that the target holds.
 */
function completeIn(queue: PartitionQueue | undefined, event: ChangeEvent): ChangeEvent {
  if (queue?.hasGaps !== true || event.kind !== 'update') return event;
  return event.row.includes(undefined) ? { ...event, mustRead: true } : event;
}

/** So many messages may be unreadable before it is asked whether most of them are. */
const MANY_LETTERS = 50;

/**
 * Single messages are passed by; where most cannot be read, the messages are not what is wrong.
 *
 * @throws TandemError `LOG_UNREADABLE`
 */
function refuseMany(letters: readonly DeadLetter[], messages: number): void {
  const [first] = letters;
  if (first === undefined || letters.length <= MANY_LETTERS || letters.length * 2 < messages)
    return;
  const { code, reason } = first;
  const { topic } = first.message;
  throw new TandemError('LOG_UNREADABLE', {
    topic,
    messages,
    unreadable: letters.length,
    code,
    reason,
  });
}

type NotRead = Extract<Decoded, { readonly kind: 'unreadable' }>;

/** A batch, and how often the source had been rewound before it was begun: it is outdated after that. */
type Next = { readonly batch: Batch; readonly rewinds: number };

type Queues = ReadonlyMap<string, PartitionQueue>;

type Read = {
  readonly events: readonly ChangeEvent[];
  readonly heartbeat: Heartbeat | null;
  readonly letters: readonly DeadLetter[];
};

function toBatch(
  { position, bytes }: Taken,
  { events, heartbeat }: Pick<Read, 'events' | 'heartbeat'>,
  letters: readonly DeadLetter[],
): Batch {
  const unreadable = letters.map(
    ({ message: { topic, partition, offset }, table, code, reason }): Unreadable => ({
      topic,
      partition,
      offset,
      table,
      code,
      message: reason,
    }),
  );
  return {
    events,
    bytes,
    position: formatLogPosition(position),
    complete: true,
    heartbeat,
    committedAtMs: committedAtMs(events),
    ...(unreadable.length === 0 ? {} : { unreadable }),
  };
}

/** In the order of the source; partitions, each in it already, are woven into one another. */
function inOrder(events: ChangeEvent[]): ChangeEvent[] {
  const isSorted = events.every((event, i) => {
    const before = events[i - 1];
    return before === undefined || compareVersions(before.version, event.version) <= 0;
  });
  if (!isSorted) events.sort((a, b) => compareVersions(a.version, b.version));
  return events;
}

/** Of the newest that says it: rows that were read do not. */
function committedAtMs(events: readonly ChangeEvent[]): number | null {
  const text = events.findLast(({ committedAt }) => committedAt !== null)?.committedAt;
  const ms = text === undefined || text === null ? NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

/** Returns at an abort too: the opening is left behind, and closed by the caller. */
async function unlessAborted(opening: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    if (signal.aborted) resolve();
    signal.addEventListener('abort', stop);
  });
  opening.catch(() => undefined);
  await Promise.race([opening, aborted]).finally(() => signal.removeEventListener('abort', stop));
}
