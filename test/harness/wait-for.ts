import { setTimeout as pause } from 'node:timers/promises';

type WaitOptions = {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Completes "timed out waiting for". */
  readonly what: string;
};

/**
 * Asks for a fact until it is there, and returns it. `null`, `undefined` and `false` mean "not
 * yet"; an error ends the waiting, because a fact that cannot be asked for is a defect of the test.
 */
export async function waitFor<T>(
  fact: () => Promise<T | null | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await fact();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() >= deadline) {
      throw new Error(`timed out after ${timeoutMs} ms waiting for ${options.what}`);
    }
    await pause(options.intervalMs ?? 50);
  }
}
