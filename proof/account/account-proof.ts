import type { Listed } from '../target/target-proof.ts';

/** Rows with a value, and their exact sum as PostgreSQL prints it. */
export type Amount = { readonly rows: number; readonly sum: string };

/** A column that is carried unchanged, added up on both sides. */
export type SumProof = {
  readonly column: string;
  readonly targetColumn: string;
  /** On the source, when it was asked: for reference, for it goes on meanwhile. */
  readonly source: Amount | null;
  readonly mirror: Amount;
  /** In the target rows of the roots that are applied, and of any row that has no root. */
  readonly applied: Amount;
  readonly held: Amount;
  readonly quarantined: Amount;
  readonly excluded: Amount;
  /** Mirror less all the others. */
  readonly difference: Amount;
  readonly agrees: boolean;
};

export type EntityAccountProof = {
  readonly entity: string;
  readonly source: string;
  readonly targets: readonly string[];
  /** Why it was not counted: paused, stopped, not derived yet; null: it was. */
  readonly notVerified: string | null;
  /** On the source, when it was asked: for reference, for it goes on meanwhile. */
  readonly sourceRows: number | null;
  /** Live rows of the root table in the mirror: the roots. */
  readonly mirrorRows: number;
  /** Deleted rows of it. */
  readonly tombstones: number;
  readonly applied: number;
  readonly held: number;
  readonly quarantined: number;
  /** By the name of the rule. */
  readonly excluded: Readonly<Record<string, number>>;
  /** Roots that are none of the four, by key. */
  readonly inNone: Listed<string>;
  /** Roots that are several of the four, by key. */
  readonly inSeveral: Listed<string>;
  /** Entries about roots that are not there: more entries than roots. */
  readonly strayEntries: number;
  /** Live target rows of the entity beyond those of its roots. */
  readonly extraRows: number;
  /** Roots that a job has yet to derive: they are not judged. */
  readonly pendingRoots: number;
  readonly sums: readonly SumProof[];
  readonly agrees: boolean;
};

/** Section 3 of a proof: every source row is accounted for, and amounts add up. */
export type AccountProof = {
  readonly at: string;
  readonly entities: readonly EntityAccountProof[];
  /** Messages of a log that nobody could read, and nobody does without: their rows are unknown. */
  readonly unread: number;
  readonly agrees: boolean;
  /** No entity was left out, and no root was pending. */
  readonly isSettled: boolean;
};
