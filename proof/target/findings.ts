import type { Listed, MarkFault, PendingRoot, RowFault } from './target-proof.ts';

/** Counts all, keeps the first few. */
class Tally<T> {
  readonly #limit: number;
  readonly #first: T[] = [];
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T): void {
    this.#count++;
    if (this.#first.length < this.#limit) this.#first.push(item);
  }

  get count(): number {
    return this.#count;
  }

  get listed(): Listed<T> {
    return { count: this.#count, first: [...this.#first] };
  }
}

/** Takes what a comparison finds, as it is found. */
export type Sink = {
  row(kind: 'missing' | 'extra' | 'different', fault: RowFault): void;
  mark(fault: MarkFault): void;
};

/** What is wrong with one entity, as the workers find it. What concerns a pending root is no fault. */
export class Findings implements Sink {
  readonly missing: Tally<RowFault>;
  readonly extra: Tally<RowFault>;
  readonly different: Tally<RowFault>;
  readonly marks: Tally<MarkFault>;
  readonly #pending: Tally<PendingRoot>;
  readonly #isPending: (root: string) => boolean;
  /** A pending root may be found wrong in several ways; it is one. Bounded by the jobs' roots. */
  readonly #seen = new Set<string>();

  constructor(limit: number, isPending: (root: string) => boolean) {
    this.missing = new Tally(limit);
    this.extra = new Tally(limit);
    this.different = new Tally(limit);
    this.marks = new Tally(limit);
    this.#pending = new Tally(limit);
    this.#isPending = isPending;
  }

  row(kind: 'missing' | 'extra' | 'different', fault: RowFault): void {
    if (!this.#waits(fault.root)) this[kind].add(fault);
  }

  mark(fault: MarkFault): void {
    if (!this.#waits(fault.root)) this.marks.add(fault);
  }

  #waits(root: string | null): boolean {
    if (root === null || !this.#isPending(root)) return false;
    if (!this.#seen.has(root)) {
      this.#seen.add(root);
      this.#pending.add({ root });
    }
    return true;
  }

  /** Faults of all kinds. */
  get count(): number {
    const { missing, extra, different, marks } = this;
    return missing.count + extra.count + different.count + marks.count;
  }

  get pending(): Listed<PendingRoot> {
    return this.#pending.listed;
  }
}
