import { backoffMs } from '../connectors/postgres/backoff.ts';
import { TandemError } from '../core/errors.ts';
import type { Clock, Observer } from '../core/ports.ts';

/**
 * Does `work` again after failures that may pass (`retry: 'timed'`), with growing pauses, until it
 * succeeds or `signal` aborts. `work` goes on from what the target has committed, so an answer that
 * was lost on the way is thereby known. Any other failure is thrown.
 *
 * @param work is given a function to call when it got somewhere: then the pauses start over
 */
export async function persist(
  work: (progressed: () => void) => Promise<void>,
  { signal, clock, observer }: { signal: AbortSignal; clock: Clock; observer: Observer },
): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    try {
      await work(() => (attempt = 0));
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TandemError) || error.retry !== 'timed') throw error;
      const retryInMs = backoffMs(++attempt, Math.random());
      const { code, message, hint } = error;
      const facts = { code, error: message, hint, attempt, retryInMs };
      observer.event('interrupted', facts, 'warn');
      await clock.sleep(retryInMs, signal);
    }
  }
}
