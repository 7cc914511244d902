import { TandemError } from '../core/errors.ts';
import type { Batch, BatchOptions, ChangeSource, Clock, Observer } from '../core/ports.ts';
import type { Applier } from './apply.ts';

/** What one connection to both databases needs; made anew after every failure. */
export type Session = {
  readonly source: ChangeSource;
  readonly applier: Applier;
  readonly close: () => Promise<void>;
};

export type StreamOptions = Omit<BatchOptions, 'signal'> & {
  readonly signal: AbortSignal;
  /** Opens a session at the position that the target holds. */
  readonly open: () => Promise<Session>;
  /** Milliseconds to wait before attempt `n` (from 1). */
  readonly pauseMs: (attempt: number) => number;
  readonly clock: Clock;
  readonly observer: Observer;
};

/**
 * Streams until `signal` aborts. A failure that may pass (`retry: 'timed'`) ends the session and
 * opens another after a growing pause, from the position that the target has committed: an answer
 * that was lost on the way is thereby known. Any other failure is thrown.
 */
export async function stream(options: StreamOptions): Promise<void> {
  const { signal, observer, clock, pauseMs } = options;
  let attempt = 0;
  while (!signal.aborted) {
    try {
      await runSession(options, () => (attempt = 0));
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TandemError) || error.retry !== 'timed') throw error;
      attempt++;
      const ms = Math.round(pauseMs(attempt));
      const { code, message, hint } = error;
      const facts = { code, error: message, hint, attempt, retryInMs: ms };
      observer.event('interrupted', facts, 'warn');
      await clock.sleep(ms, signal);
    }
  }
}

async function runSession(options: StreamOptions, onProgress: () => void): Promise<void> {
  const { maxBytes, maxEvents, signal, observer } = options;
  const session = await options.open();
  const { source, applier } = session;
  observer.event('streaming', { from: applier.position });
  // Ends the source when a batch or a job fails.
  const over = new AbortController();
  const whole = AbortSignal.any([signal, over.signal]);
  const stream = source.batches(applier.position, { maxBytes, maxEvents, signal: whole });
  const batches: AsyncIterator<Batch, unknown> = stream[Symbol.asyncIterator]();
  const jobs = new JobTurns(applier, options.clock);
  try {
    let next = batches.next();
    while (!signal.aborted) {
      if (await jobs.runUnless(next)) continue;
      const result = await next;
      // A transaction in hand is not committed, and so rolled back when the session ends.
      if (result.done === true || signal.aborted) return;
      const batch = result.value;
      const isCommitted = await applier.apply(batch);
      if (isCommitted) {
        onProgress();
        await source.confirm(batch.position);
      }
      next = batches.next();
    }
  } finally {
    over.abort();
    await batches.return?.();
    await session.close();
  }
}

/** Jobs have their turn when no batch is waiting, and once a second under load. */
class JobTurns {
  readonly #applier: Applier;
  readonly #clock: Clock;
  #lastTurn = 0;
  #mayHaveMore = true;

  constructor(applier: Applier, clock: Clock) {
    this.#applier = applier;
    this.#clock = clock;
  }

  /** Runs a portion of a job; false: the batch is to be applied now. */
  async runUnless(next: Promise<unknown>): Promise<boolean> {
    if (!this.#applier.isIdle) return false;
    const isDue = this.#clock.now() - this.#lastTurn > 1000;
    const isWaiting = await isSettled(next);
    if (isWaiting && !isDue) {
      this.#mayHaveMore = true;
      return false;
    }
    if (!this.#mayHaveMore && !isDue) return false;
    this.#mayHaveMore = await this.#applier.runJob();
    this.#lastTurn = this.#clock.now();
    return this.#mayHaveMore;
  }
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([
    promise.then(
      () => true as const,
      () => true as const,
    ),
    turn,
  ]);
}
