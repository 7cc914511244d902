import { backoffMs } from '../connectors/postgres/backoff.ts';
import { TandemError } from '../core/errors.ts';
import type { Clock, Observer } from '../core/ports.ts';

/**
 * Does `work` again after failures that may pass (`retry: 'timed'`), with growing pauses, until it
 * succeeds or `signal` aborts. `work` goes on where it stopped.
 */
export async function persist(
  work: () => Promise<void>,
  { signal, clock, observer }: { signal: AbortSignal; clock: Clock; observer: Observer },
): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TandemError) || error.retry !== 'timed') throw error;
      const retryInMs = backoffMs(attempt, Math.random());
      const { code, message, hint } = error;
      const facts = { code, error: message, hint, attempt, retryInMs };
      observer.event('interrupted', facts, 'warn');
      await clock.sleep(retryInMs, signal);
    }
  }
}
