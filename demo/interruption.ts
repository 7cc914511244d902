/** Why the demo ends early. */
type Reason =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Thrown at the step that was under way when the demo was interrupted. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Signals, and failures of what runs beside the steps (the stream, the traffic), end the step that
 * is under way. The first reason counts.
 */
export class Interruption {
  readonly #controller = new AbortController();
  #reason: Reason | null = null;
  #wanted: (() => void) | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get reason(): Reason | null {
    return this.#reason;
  }

  interrupt(reason: Reason): void {
    if (reason.kind === 'signal' && this.#wanted !== null) {
      this.#wanted();
      return;
    }
    this.#reason ??= reason;
    this.#controller.abort(new Interrupted());
  }

  /** The result of `work`, unless an interruption comes first; then `work` is left to the cleanup. */
  async guard<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    const { signal } = this.#controller;
    signal.throwIfAborted();
    let stop: (() => void) | undefined;
    const interrupted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(new Interrupted());
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      if (stop !== undefined) signal.removeEventListener('abort', stop);
    }
  }

  /** Returns at the next signal, which then interrupts nothing. */
  async untilSignal(): Promise<void> {
    try {
      await this.guard(new Promise<void>((resolve) => (this.#wanted = resolve)));
    } finally {
      this.#wanted = null;
    }
  }
}
