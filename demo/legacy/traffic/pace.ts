import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds to wait so that `done` changes take as long as they should at `perSecond`. */
export function pauseMs(done: number, elapsedMs: number, perSecond: number): number {
  return Math.max(0, (done / perSecond) * 1000 - elapsedMs);
}

/** Timers are not finer than about a millisecond; shorter pauses are saved up. */
const SHORTEST_PAUSE_MS = 4;

/** After a stall the traffic goes on at its rate instead of making up for all of it. */
const MOST_ARREARS_MS = 1000;

/** Holds all connections together to one rate. */
export class Pace {
  readonly #perSecond: number;
  readonly #signal: AbortSignal;
  #startMs = performance.now();
  #done = 0;

  constructor(perSecond: number, signal: AbortSignal) {
    this.#perSecond = perSecond;
    this.#signal = signal;
  }

  count(changes: number): void {
    this.#done += changes;
  }

  /** Returns when the next change is due, or at once when the traffic is to stop. */
  async next(): Promise<void> {
    const now = performance.now();
    const arrears = now - this.#startMs - (this.#done / this.#perSecond) * 1000;
    this.#startMs += Math.max(0, arrears - MOST_ARREARS_MS);
    const pause = pauseMs(this.#done, now - this.#startMs, this.#perSecond);
    if (pause < SHORTEST_PAUSE_MS || this.#signal.aborted) return;
    await sleep(pause, undefined, { signal: this.#signal }).catch((error: unknown) => {
      if (!this.#signal.aborted) throw error;
    });
  }
}
