import type { Resolved } from '../../consumers/resolve.ts';

/** Roots that wait for others of the same run; what is more is looked at as it is. */
const MOST_PUT_OFF = 100_000;

/** Roots that lack a parent, which a later page or entity of the run may bring. */
export class PutOff {
  #keys: string[] = [];
  isLast = false;

  /** The roots that can be looked at now. */
  sift(roots: readonly Resolved[]): readonly Resolved[] {
    if (this.isLast) return roots;
    return roots.filter(({ key, unresolved, heldBy }) => {
      if (unresolved.length + heldBy.length === 0 || this.#keys.length >= MOST_PUT_OFF) return true;
      this.#keys.push(key);
      return false;
    });
  }

  take(): readonly string[] {
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }
}
