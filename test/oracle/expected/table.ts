import type { Session, TextRow } from '../session.ts';

/** What one target table has to hold, as a query on the source and what only Node can add. */
export type ExpectedTable = {
  readonly table: string;
  /** Yields the live rows: `id` and every replicated column, under the target's names. */
  readonly sql: string;
  /** Columns whose text is legacy JSON: the target's server decides what becomes of it. */
  readonly legacyJson?: readonly string[];
  /** Adds columns that need a library or a walk, in place. */
  readonly complete?: (rows: readonly TextRow[], source: Session) => Promise<void> | void;
  /** The part of the target table that is meant, as a condition; all of it without one. */
  readonly part?: string;
  /** Replicated columns of a table whose migration is still to come, and of D rows without feed. */
  readonly targetOwned: readonly string[];
  /** Rows that the migrations planted: what they are as long as no source row adopts them. */
  readonly seeds?: readonly TextRow[];
};
