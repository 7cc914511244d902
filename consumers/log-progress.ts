import type pg from 'pg';
import {
  execute,
  hasMarks,
  openClient,
  statementError,
  textRows,
  type Database,
} from '../connectors/postgres/connection.ts';
import { readSlot } from '../connectors/postgres/slot.ts';
import { notedWalEnd } from '../connectors/postgres/wal-position.ts';
import { Doorbell } from '../core/doorbell.ts';
import { TandemError } from '../core/errors.ts';
import type { Clock, Heartbeat, Observer, Position } from '../core/ports.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import { retryRefused } from './retry-refused.ts';
import { readPositions } from './topic-positions.ts';

export type LogProgressOptions = {
  readonly source: Database;
  readonly target: Database;
  readonly slot: string;
  readonly stream: string;
  readonly epoch: bigint;
  /** By `topic/partition`, of all topics of the stream: the offset behind the last message. */
  readonly ends: () => Promise<ReadonlyMap<string, bigint>>;
  /** Now, by the source's clock, in ms since the epoch. */
  readonly sourceNow: () => number;
  readonly clock: Clock;
  readonly observer: Observer;
};

/** What is so once the target stands at `ends`. */
type Milestone = {
  readonly ends: ReadonlyMap<string, bigint>;
  readonly confirmed: Lsn | null;
  readonly heartbeat: Heartbeat | null;
};

/** While nothing is heard, the slot and the refused rows are looked at so often. */
const SETTLED_MS = 1_000;
/** And the log's ends, which takes a question for each topic. */
const UNHEARD_MS = 10_000;
const PENDING_MS = 25;

/**
 * Tells what the positions of the partitions mean for the stream as a whole. What the slot's reader
 * has confirmed was in the log before; so once the target has come to where the log ended after the
 * slot was looked at, it holds everything that the source committed before the confirmed place. In
 * the same way a heartbeat counts once the target stands where the log ended after it was read: the
 * changes before it went to other partitions.
 *
 * Several processes may do so side by side: the position only moves on.
 */
export class LogProgress {
  readonly #options: LogProgressOptions;
  readonly #bell = new Doorbell();
  #heartbeat: Heartbeat | null = null;

  constructor(options: LogProgressOptions) {
    this.#options = options;
  }

  /** A heartbeat has come out of the log. */
  saw(heartbeat: Heartbeat): void {
    if (heartbeat.sentAtMs <= (this.#heartbeat?.sentAtMs ?? 0)) return;
    this.#heartbeat = heartbeat;
    this.#bell.ring();
  }

  /** Until `signal` aborts. What fails is tried again: the stream itself says what is wrong. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, observer } = this.#options;
    signal.addEventListener('abort', () => this.#bell.ring(), { once: true });
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        const { code } = statementError('target', error, 'progress');
        observer.event('progress of the log unknown', { code }, 'debug');
        await clock.sleep(SETTLED_MS, signal).catch(() => undefined);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { source, target, clock } = this.#options;
    const from = await openClient(source, 'progress');
    try {
      const to = await openClient(target, 'progress');
      try {
        while (!signal.aborted) {
          const milestone = await this.#milestone(from, to);
          while (!signal.aborted && !(await this.#isReached(to, milestone))) {
            await clock.sleep(PENDING_MS, signal).catch(() => undefined);
          }
          if (signal.aborted) return;
          await this.#note(to, milestone);
          await this.#noteMoment(from, to);
          await this.#news(from, to, milestone, signal);
        }
      } finally {
        await to.end();
      }
    } finally {
      await from.end();
    }
  }

  /** Returns when there may be more to tell. */
  async #news(
    source: pg.Client,
    target: pg.Client,
    { confirmed }: Milestone,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + UNHEARD_MS;
    do {
      await retryRefused(target);
      if (this.#heartbeat === null) await this.#bell.wait(SETTLED_MS);
      if (signal.aborted || this.#heartbeat !== null) return;
    } while ((await this.#confirmed(source)) === confirmed && clock.now() < until);
  }

  async #confirmed(source: pg.Client): Promise<Lsn | null> {
    const slot = await readSlot(source, this.#options.slot);
    return slot.exists ? slot.confirmedFlushLsn : null;
  }

  /** In this order: whatever was confirmed, or stood before the heartbeat, lies before the ends. */
  async #milestone(source: pg.Client, target: pg.Client): Promise<Milestone> {
    const heartbeat = this.#heartbeat;
    this.#heartbeat = null;
    const confirmed = await this.#confirmed(source);
    const before = await readPositions(target, this.#options.stream);
    const ends = await this.#options.ends();
    // Somebody made it anew: that its end is behind us says nothing of what we have had.
    for (const [name, end] of ends) {
      const next = before.partitions.get(name)?.next ?? 0n;
      if (next > end)
        throw new TandemError('LOG_RECREATED', { partition: name, expected: next, end });
    }
    return { heartbeat, confirmed, ends };
  }

  async #isReached(target: pg.Client, { ends }: Milestone): Promise<boolean> {
    const { partitions } = await readPositions(target, this.#options.stream);
    return [...ends].every(([name, end]) => (partitions.get(name)?.next ?? 0n) >= end);
  }

  /**
   * Once a minute: where the source's log ended by which time. The place is marked, so that whatever
   * is committed later has a version behind it.
   */
  async #noteMoment(source: pg.Client, target: pg.Client): Promise<void> {
    const { stream } = this.#options;
    const [due] = await textRows(
      target,
      `select coalesce(noted_at < now() - interval '1 minute', true)
       from tandem.position where stream = $1`,
      [stream],
    );
    if (due?.[0] !== 't' || !hasMarks(source)) return;
    const place = formatLsn(await notedWalEnd(source));
    const [now] = await textRows(source, 'select clock_timestamp()');
    await textRows(target, 'select tandem.note_moment($1, $2, $3)', [
      stream,
      now?.[0] ?? '',
      place,
    ]);
  }

  /** While a table is being read again it lacks what a heartbeat would vouch for. */
  async #note(target: pg.Client, { confirmed, heartbeat: found }: Milestone): Promise<void> {
    const [joins] = await textRows(
      target,
      `select exists (select from tandem.mirror where state in ('waiting', 'joining'))`,
    );
    const heartbeat = joins?.[0] === 't' ? null : found;
    const { stream, epoch, sourceNow, observer } = this.#options;
    const lagMs = heartbeat === null ? null : Math.max(0, sourceNow() - heartbeat.sentAtMs);
    const position = confirmed === null ? null : formatLsn(confirmed);
    await execute(
      target,
      `update tandem.position set
         position = greatest(position::pg_lsn, $3::pg_lsn)::text,
         heartbeat_at = greatest(heartbeat_at, $4), heartbeat_lag = coalesce($5, heartbeat_lag),
         updated_at = clock_timestamp()
       where stream = $1 and epoch = $2 and mode = 'kafka'`,
      [
        stream,
        epoch,
        position,
        heartbeat === null ? null : new Date(heartbeat.sentAtMs).toISOString(),
        lagMs === null ? null : `${lagMs} ms`,
      ],
    );
    // Their own partitions have told all that was behind.
    await execute(
      target,
      `delete from tandem.row_behind where until_commit <= (
         select position::pg_lsn from tandem.position where stream = $1)`,
      [stream],
    );
    if (lagMs === null) return;
    observer.batch({
      events: 0,
      changesByTable: new Map(),
      transactionsBytes: 0,
      rowsByEntity: new Map(),
      phaseMs: {},
      position: (position ?? '') as Position,
      heartbeatLagMs: lagMs,
    });
  }
}
