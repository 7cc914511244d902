import type pg from 'pg';
import { statementError, textRows } from '../../connectors/postgres/connection.ts';
import { beat } from '../../connectors/postgres/heartbeat.ts';
import { MESSAGES_SINCE } from '../../connectors/postgres/heartbeat-message.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import type { Clock } from '../../core/ports.ts';
import { formatLsn, parseLsn, type Lsn } from '../../core/version.ts';

type WatchOptions = {
  readonly source: pg.ClientBase;
  readonly target: pg.ClientBase;
  readonly stream: string;
  /** A heartbeat may be written to the source, so that an idle stream moves. */
  readonly mayBeat: boolean;
  /** How long the position may stand still, or lie behind, before it is called so. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** Where the source's log ends and where the stream is, and waiting for the second to reach the first. */
export class StreamWatch {
  readonly #options: WatchOptions;
  #beats: boolean;
  #serverVersion: number | null = null;
  #stalled: string | null = null;
  #seenEnd = 0n as Lsn;
  /** The newest position that was read: it only moves on. */
  #reached = 0n as Lsn;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#beats = options.mayBeat;
  }

  /** Why the position was not reached, once that has happened; nobody waits again then. */
  get stalled(): string | null {
    return this.#stalled;
  }

  /** The newest end of the source's log that was read. */
  get seenEnd(): Lsn {
    return this.#seenEnd;
  }

  /** Everything that a snapshot of the source has shown was committed before this place. */
  async sourceEnd(): Promise<Lsn> {
    try {
      return (this.#seenEnd = await walEnd(this.#options.source));
    } catch (error) {
      throw statementError('source', error, 'verify');
    }
  }

  /** Everything that the source committed before this place is in the mirror. */
  async position(): Promise<Lsn> {
    try {
      const [row] = await textRows(
        this.#options.target,
        'select position from tandem.position where stream = $1',
        [this.#options.stream],
      );
      return (this.#reached = parseLsn(row?.[0] ?? ''));
    } catch (error) {
      throw statementError('target', error, 'verify');
    }
  }

  /**
   * Waits until the stream has passed `end`. False: it did not within the patience, counted from the
   * last time that it moved and four times as long in all.
   */
  async waitFor(end: Lsn): Promise<boolean> {
    const { clock, signal, patienceMs } = this.#options;
    if (this.#reached >= end) return true;
    let seen = await this.position();
    if (seen >= end) return true;
    if (this.#stalled !== null) return false;
    await this.#beat();
    const start = clock.now();
    let movedAt = start;
    let beatAt = start;
    for (let pauseMs = 5; ; pauseMs = Math.min(100, pauseMs * 2)) {
      await clock.sleep(pauseMs, signal);
      signal.throwIfAborted();
      const position = await this.position();
      if (position >= end) return true;
      const now = clock.now();
      if (position > seen) movedAt = now;
      seen = position;
      if (now - movedAt > patienceMs || now - start > 4 * patienceMs) {
        const what = now - movedAt > patienceMs ? 'does not move' : 'is far behind';
        this.#stalled = `the stream ${what}: it stands at ${formatLsn(seen)}, and what the source showed ends at ${formatLsn(end)}`;
        return false;
      }
      if (now - beatAt > 1000) {
        beatAt = now;
        await this.#beat();
      }
    }
  }

  /** Writes a heartbeat where that is possible; where not, keepalives move the position, later. */
  async #beat(): Promise<void> {
    if (!this.#beats) return;
    const { source } = this.#options;
    try {
      if (this.#serverVersion === null) {
        const [row] = await textRows(
          source,
          `select current_setting('server_version_num'), pg_is_in_recovery()`,
        );
        this.#serverVersion = Number(row?.[0]);
        this.#beats = this.#serverVersion >= MESSAGES_SINCE && row?.[1] === 'f';
      }
      if (this.#beats) await beat(source, this.#serverVersion);
    } catch {
      this.#beats = false;
    }
  }
}
