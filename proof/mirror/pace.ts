import type { Side } from '../../connectors/postgres/connection.ts';
import type { Clock } from '../../core/ports.ts';

export type Pacing = {
  /** Rows of the source at most; null: as fast as it goes. */
  readonly rowsPerSecond: number | null;
  /** Share of the time that a statement of ours runs on a server, at most; 1: always. */
  readonly maxLoad: number;
};

/** Rests, so that the proof takes no more of the servers than it may. */
export class Pace {
  readonly #pacing: Pacing;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** When each side may be asked again. */
  readonly #freeAt: Record<Side, number> = { source: 0, target: 0 };
  #rowsFreeAt = 0;

  constructor(pacing: Pacing, clock: Clock, signal: AbortSignal) {
    this.#pacing = pacing;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Runs one statement on a side, once that side has rested from the one before. */
  async work<T>(side: Side, statement: () => Promise<T>): Promise<T> {
    await this.#until(this.#freeAt[side]);
    const start = this.#clock.now();
    try {
      return await statement();
    } finally {
      const end = this.#clock.now();
      this.#freeAt[side] = end + restMs(end - start, this.#pacing.maxLoad);
    }
  }

  /** Takes note of rows that were compared, and waits until more may be. */
  async rows(count: number): Promise<void> {
    const { rowsPerSecond } = this.#pacing;
    if (rowsPerSecond === null) return;
    const now = this.#clock.now();
    this.#rowsFreeAt = Math.max(this.#rowsFreeAt, now) + (count * 1000) / rowsPerSecond;
    await this.#until(this.#rowsFreeAt);
  }

  async #until(at: number): Promise<void> {
    this.#signal.throwIfAborted();
    const ms = at - this.#clock.now();
    if (ms > 0) await this.#clock.sleep(ms, this.#signal);
    this.#signal.throwIfAborted();
  }
}

/** The pause after work of `ms`, so that work is `share` of the whole. */
export function restMs(ms: number, share: number): number {
  return share >= 1 ? 0 : (ms * (1 - share)) / share;
}
