import type { Clock } from '../core/ports.ts';

/** A portion of a job goes on for so long: every other transaction of the stream waits for it. */
const PORTION_MS = 250;
/** And for so long where one does wait; less would cost more than it brings. */
const WAITED_FOR_MS = 50;

/** Whether a portion that begins now is over, to be asked again and again. */
export function portionTime(clock: Clock, isWaitedFor: () => boolean = () => false): () => boolean {
  const start = clock.now();
  return () => clock.now() - start >= (isWaitedFor() ? WAITED_FOR_MS : PORTION_MS);
}
