/** An exact number, and the first few. */
export type Listed<T> = { readonly count: number; readonly first: readonly T[] };

/** A row that is not as the mirror says. Names only, never values. */
export type RowFault = {
  /** The key of the root; null where no root has ever had this id. */
  readonly root: string | null;
  readonly table: string;
  readonly id: string;
  /** The columns that differ; empty for a row that is missing or should not be there. */
  readonly columns: readonly string[];
};

/** An entry of one of Tandem's lists that is not as the mirror says. */
export type MarkFault = {
  readonly list: 'held' | 'unresolved' | 'excluded' | 'quarantine' | 'issue' | 'yielded';
  readonly kind: 'missing' | 'extra' | 'different';
  /** Empty for an issue about a value, which has no root. */
  readonly root: string;
  /** The target column, the table, the rule or the kind of error that the entry names. */
  readonly of: string | null;
};

/** A root that a job will derive again, and that is not yet as the mirror says. */
export type PendingRoot = { readonly root: string };

export type EntityProof = {
  readonly entity: string;
  readonly targets: readonly string[];
  /** Why it was not looked at: paused, stopped, not derived yet; null: it was. */
  readonly notVerified: string | null;
  /** Live rows of the root table in the mirror. */
  readonly roots: number;
  /** Target rows that were derived again and compared. */
  readonly rows: number;
  readonly missing: Listed<RowFault>;
  readonly extra: Listed<RowFault>;
  readonly different: Listed<RowFault>;
  readonly marks: Listed<MarkFault>;
  readonly pending: Listed<PendingRoot>;
};

/** What can be said of a journal: its rows are what was seen, which the mirror does not keep. */
export type JournalProof = {
  readonly journal: string;
  readonly target: string;
  readonly rows: number;
  /** Entries that wait for a parent. */
  readonly waiting: number;
  /** Keys that have an entry. */
  readonly keys: number;
  /** Entries that must be there and are not: there are fewer than keys. */
  readonly missing: number;
  /** Keys that the mirror has never had. */
  readonly orphans: Listed<string>;
  /** Entries that wait and are appended already, or that nothing will wake, or the reverse. */
  readonly waitingWrongly: Listed<string>;
  /** Times whose changes it lacks, because its table was not streamed. Known, so no fault. */
  readonly gaps: readonly string[];
};

export type TargetTableProof = {
  readonly table: string;
  /** Live rows with ids that no entity of the mapping gives out: the new system's own. No fault. */
  readonly foreignRows: number;
  /** Live rows that a migration seeded and no root has adopted. No fault. */
  readonly seedRows: number;
};

/** Section 2 of a proof: the target against the mirror, in one snapshot of the target. */
export type TargetProof = {
  /** By the clock of the target, ISO 8601. */
  readonly at: string;
  /** Up to where the source is in the snapshot, by stream. */
  readonly positions: Readonly<Record<string, string>>;
  readonly entities: readonly EntityProof[];
  readonly journals: readonly JournalProof[];
  readonly tables: readonly TargetTableProof[];
  readonly openJobs: number;
  /** Nothing was found that is wrong. */
  readonly agrees: boolean;
  /** Everything could be judged: no entity was left out and no root was pending. */
  readonly isSettled: boolean;
};
