import type { Session, TextRow } from '../session.ts';

/** What one target table has to hold, as a query on the source and what only Node can add. */
export type ExpectedTable = {
  readonly table: string;
  /**
   * Yields the live rows: `id` and every replicated column under the target's names, also those
   * whose migration is still to come.
   */
  readonly sql: string;
  /** Rows that the migrations plant: what they are until a row of `sql` takes their id. */
  readonly seeds?: {
    readonly sql: string;
    /** Null in a seed that no legacy row ever adopted. */
    readonly adoptedBy: string;
  };
  /** Columns whose value is legacy JSON: a server decides what becomes of the text. */
  readonly legacyJson?: readonly string[];
  /** Columns that need a library or a walk, and what adds them. */
  readonly completed?: {
    readonly columns: readonly string[];
    readonly by: (rows: readonly TextRow[], source: Session) => Promise<void> | void;
  };
  /** Which rows of the target are meant, as a condition; all of them without one. */
  readonly part?: string;
  /** Columns that replication never writes, so nothing can be said of them. */
  readonly targetOwned: readonly string[];
};
