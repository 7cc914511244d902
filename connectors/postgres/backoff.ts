const FIRST_MS = 250;
const MAX_MS = 30_000;

/**
 * The pause before attempt number `attempt` (1 is the first repetition): doubled each time up to 30
 * seconds, and of that a random part between half and the whole, so that many clients that lost one
 * server do not all come back at once.
 *
 * @param random from 0 to 1, as `Math.random` gives it
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling * (0.5 + random / 2));
}
