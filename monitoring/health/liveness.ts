import type { Batch, ChangeSource, Clock } from '../../core/ports.ts';

/**
 * Longer than any piece of a batch takes that gets anywhere: one has at most `BATCH_MAX_EVENTS`
 * changes, whatever the size of its transaction.
 */
const STALLED_MS = 10 * 60_000;

type Verdict = { readonly alive: boolean; readonly loop: string };

/**
 * Whether the loop of the stream moves. It may wait for the source for ever; what it must not do is
 * to sit on a batch that was handed to it.
 */
export class Liveness {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #stalledMs: number;
  #busySinceMs: number | null = null;

  constructor(clock: Pick<Clock, 'now'>, stalledMs = STALLED_MS) {
    this.#clock = clock;
    this.#stalledMs = stalledMs;
  }

  /** The same source, with an eye on who reads it. */
  watch(source: ChangeSource): ChangeSource {
    return {
      batches: (after, options) => this.#noting(source.batches(after, options)),
      confirm: (position) => source.confirm(position),
      ...(source.rewind === undefined ? {} : { rewind: () => source.rewind?.() }),
    };
  }

  judge(): Verdict {
    if (this.#busySinceMs === null) return { alive: true, loop: 'waits for changes' };
    const ms = this.#clock.now() - this.#busySinceMs;
    const loop = `has had a batch in hand for ${Math.round(ms / 1000)} s`;
    return { alive: ms < this.#stalledMs, loop };
  }

  async *#noting(batches: AsyncIterable<Batch>): AsyncGenerator<Batch, void, undefined> {
    try {
      for await (const batch of batches) {
        this.#busySinceMs = this.#clock.now();
        yield batch;
        this.#busySinceMs = null;
      }
    } finally {
      this.#busySinceMs = null;
    }
  }
}
