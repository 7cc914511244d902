/**
 * How old the newest heartbeat in the target is. Told by each commit and by each look at the target,
 * and right between them: it grows while nobody can be asked.
 */
export class Heartbeats {
  #bornMs: number | null = null;
  #areSent: boolean;

  constructor(areSent: boolean) {
    this.#areSent = areSent;
  }

  /** False where the source may not be written; then the lag is known in bytes only. */
  get areSent(): boolean {
    return this.#areSent;
  }

  /** They turned out to be impossible here. */
  turnOff(): void {
    this.#areSent = false;
  }

  /** At `atMs` the newest one was `ageMs` old. A newer one that was told of before stays. */
  note(ageMs: number, atMs: number): void {
    this.#bornMs = Math.max(this.#bornMs ?? -Infinity, atMs - Math.max(0, ageMs));
  }

  /** In milliseconds; null where there is none. `nowMs` is of the clock that `note` was given. */
  age(nowMs: number): number | null {
    if (!this.#areSent || this.#bornMs === null) return null;
    return Math.max(0, nowMs - this.#bornMs);
  }
}
