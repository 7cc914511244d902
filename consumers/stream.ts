import { TandemError } from '../core/errors.ts';
import type { Batch, BatchOptions, ChangeSource, Clock, Observer } from '../core/ports.ts';
import type { Applier } from './apply.ts';
import { portionTime } from './portion-time.ts';

/** What one connection to both databases needs; made anew after every failure. */
export type Session = {
  readonly source: ChangeSource;
  readonly applier: Applier;
  readonly close: () => Promise<void>;
};

export type StreamOptions = BatchOptions & {
  /** Told of every batch that is committed. */
  readonly progressed: () => void;
  readonly clock: Clock;
  readonly observer: Observer;
};

/**
 * Streams from the position that the target holds until `signal` aborts, then closes the session.
 * Every failure ends it too and is thrown: another session, opened anew, goes on.
 */
export async function streamSession(session: Session, options: StreamOptions): Promise<void> {
  const { maxBytes, maxEvents, signal, observer } = options;
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
      // A log may be silent for long; jobs come all the same, from whoever asks for them.
      if (!(await arrives(next, NO_JOB_MS, options.clock))) continue;
      const result = await next;
      // A transaction in hand is not committed, and so rolled back when the session ends.
      if (result.done === true || signal.aborted) return;
      const batch = result.value;
      if (await applied(session, batch, observer)) {
        options.progressed();
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

/** Whether the batch is there before so much time has passed; a failure counts as there. */
async function arrives(next: Promise<unknown>, withinMs: number, clock: Clock): Promise<boolean> {
  const over = new AbortController();
  const late = clock.sleep(withinMs, over.signal).then(
    () => false,
    () => true,
  );
  const there = next.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([there, late]);
  } finally {
    over.abort();
  }
}

/** Whether the batch is committed. One that another consumer was faster with comes again, or not. */
async function applied(
  { source, applier }: Session,
  batch: Batch,
  observer: Observer,
): Promise<boolean> {
  try {
    return await applier.apply(batch);
  } catch (error) {
    const isTaken = error instanceof TandemError && error.code === 'PARTITION_TAKEN';
    if (!isTaken || source.rewind === undefined) throw error;
    observer.event('partition taken', error.details, 'debug');
    source.rewind();
    return false;
  }
}

/** Where batches wait, jobs pause so many times as long as their last turn took. */
const PAUSE_SHARE = 3;
/** And so long where there was no job. */
const NO_JOB_MS = 1000;

/** Jobs have their turn when no batch is waiting, and a quarter of the time under load. */
class JobTurns {
  readonly #applier: Applier;
  readonly #clock: Clock;
  #dueAt = 0;
  #mayHaveMore = true;

  constructor(applier: Applier, clock: Clock) {
    this.#applier = applier;
    this.#clock = clock;
  }

  /** Runs a portion of a job; false: the batch is to be applied now. */
  async runUnless(next: Promise<unknown>): Promise<boolean> {
    if (!this.#applier.isIdle) return false;
    const start = this.#clock.now();
    const isDue = start >= this.#dueAt;
    let isWaiting = false;
    const waits = () => (isWaiting = true);
    next.then(waits, waits);
    // A batch that is there says so in this turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    if (isWaiting && !isDue) {
      this.#mayHaveMore = true;
      return false;
    }
    if (!this.#mayHaveMore && !isDue) return false;
    this.#mayHaveMore = await this.#applier.runJob(portionTime(this.#clock, () => isWaiting));
    const end = this.#clock.now();
    this.#dueAt = end + (this.#mayHaveMore ? PAUSE_SHARE * (end - start) : NO_JOB_MS);
    return this.#mayHaveMore;
  }
}
