import type { Resolved } from '../../consumers/resolve.ts';

/** Roots that wait for others of the same run; what is more is looked at as it is. */
const MOST_PUT_OFF = 100_000;

/** Roots that lack a parent, which a later page or entity of the run may bring. */
export class PutOff {
  readonly #promise: (table: string, id: string) => void;
  #keys: string[] = [];
  isLast = false;

  /** @param promise told of rows that will come, whatever else does: they lack no parent that they need */
  constructor(promise: (table: string, id: string) => void) {
    this.#promise = promise;
  }

  /** The roots that can be looked at now. */
  sift(roots: readonly Resolved[]): readonly Resolved[] {
    if (this.isLast) return roots;
    return roots.filter(({ key, mapped, unresolved, heldBy }) => {
      if (unresolved.length + heldBy.length === 0 || this.#keys.length >= MOST_PUT_OFF) return true;
      this.#keys.push(key);
      if (mapped.kind === 'rows' && heldBy.length === 0) {
        for (const { table, id } of mapped.rows) this.#promise(table, id);
      }
      return false;
    });
  }

  take(): readonly string[] {
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }
}
