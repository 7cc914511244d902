type Reading = { readonly atMs: number; readonly leftBytes: number };

/** The budget comes back in whole segments: over a shorter time its slope would be noise. */
const WINDOW_MS = 5 * 60_000;

/** How long a slot's WAL budget lasts. */
export class WalBudget {
  #readings: Reading[] = [];

  /** @param leftBytes null where there is no limit, or nobody could be asked: what was is forgotten */
  note(atMs: number, leftBytes: number | null): void {
    if (leftBytes === null) {
      this.#readings = [];
      return;
    }
    this.#readings.push({ atMs, leftBytes });
    this.#readings = this.#readings.filter((reading) => reading.atMs >= atMs - WINDOW_MS);
  }

  /**
   * Seconds until nothing is left, at the mean rate of the last minutes: Infinity while it does not
   * shrink, 0 where it is used up, null where nothing can be said (one reading, or no limit).
   */
  secondsLeft(): number | null {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    if (last === undefined || first === undefined) return null;
    if (last.leftBytes <= 0) return 0;
    if (last.atMs <= first.atMs) return null;
    const usedPerMs = (first.leftBytes - last.leftBytes) / (last.atMs - first.atMs);
    return usedPerMs <= 0 ? Infinity : last.leftBytes / usedPerMs / 1000;
  }
}
