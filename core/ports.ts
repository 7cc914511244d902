import type { ChangeEvent } from './change-event.ts';
import type { ErrorCode } from './errors.ts';
import type { Image, MirrorTable } from './mirror-table.ts';
import type { Lsn } from './version.ts';

/** Where a source goes on after a restart. Opaque: only the source that made it can read it. */
export type Position = string & { readonly __brand: 'Position' };

/** The newest heartbeat of a batch: when it was written, by the source's clock. */
export type Heartbeat = { readonly sentAtMs: number };

/**
 * Changes of whole source transactions, in commit order; or, where one transaction is larger than
 * `maxBytes`, a piece of it.
 */
export type Batch = {
  readonly events: readonly ChangeEvent[];
  /** Roughly what the events take in memory. */
  readonly bytes: number;
  /** Where to go on once this batch is committed. */
  readonly position: Position;
  /** False: the transaction goes on in the next batch, and this one must not be committed alone. */
  readonly complete: boolean;
  readonly heartbeat: Heartbeat | null;
  /** The newest commit time of its transactions, ms since the epoch by the source's clock. */
  readonly committedAtMs: number | null;
  /** Messages of a log between the databases that nobody could read. Default: none. */
  readonly unreadable?: readonly Unreadable[];
};

/** A message that could not be decoded. Its bytes are kept elsewhere. */
export type Unreadable = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** The mirror table, where its topic tells it. */
  readonly table: string | null;
  readonly code: ErrorCode;
  /** What was wrong: names and numbers, never a value. */
  readonly message: string;
};
export type BatchOptions = {
  readonly maxBytes: number;
  readonly maxEvents: number;
  readonly signal: AbortSignal;
};

/** A stream of committed changes, in the order of the source. */
export interface ChangeSource {
  /**
   * Yields batches after `after` until `signal` aborts, then returns normally. Pulling is the
   * back-pressure: an implementation never buffers much more than `maxBytes`. A batch without
   * events carries a position alone (an idle source moved on).
   *
   * @throws TandemError `SOURCE_UNREACHABLE`, `SLOT_IN_USE` (retry 'timed'); `SLOT_LOST`,
   *   `RELATION_CHANGED`, `PROTOCOL_VIOLATION` and others that no retry mends
   */
  batches(after: Position, options: BatchOptions): AsyncIterable<Batch>;

  /** Lets the source forget everything up to `position`. Only after the target has committed it. */
  confirm(position: Position): Promise<void>;

  /**
   * Forgets what it has given out and goes on from where the target stands now: another consumer of
   * the same log has moved it. Absent where one reader has all of the stream.
   */
  rewind?(): void;
}

/** Rows read from the source, with a version that no older change can beat. */
export type BarrierRead = {
  /** Everything committed before this position is in `rows`. */
  readonly lsn: Lsn;
  /** Nothing committed behind this position is in `rows`; absent: behind `lsn`. */
  readonly readUntil?: Lsn;
  readonly rows: readonly Image[];
};

/** Reads single rows from the source when the stream alone cannot say what they hold. */
export interface SourceReader {
  /**
   * Rows of `table` by key, in a snapshot taken at a barrier: the insert position first, then the
   * end of every transaction that was running at that moment, then the snapshot.
   */
  readByKey(table: MirrorTable, keys: readonly (readonly string[])[]): Promise<BarrierRead>;
}

export interface Clock {
  /**
   * Milliseconds since the epoch, counted on from when the process started: it goes on evenly, also
   * when somebody sets the clock of the host. Only for durations, and against another server's clock.
   */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What the engine tells, one call per decision. Never a column value. */
export type Facts = Readonly<Record<string, string | number | bigint | boolean | null>>;
export interface Observer {
  /** A decision or a step, for the log. */
  event(name: string, facts?: Facts, level?: 'debug' | 'info' | 'warn' | 'error'): void;
  /** Progress of a long step; `total` may be an estimate, `done` is exact. */
  progress(step: string, subject: string, done: number, total: number | null): void;
  /** A batch that was committed: changes by table, rows by entity and outcome, phase durations. */
  batch(report: BatchReport): void;
}
/** What became of a derived root. `removed`: the source does not have it any more. */
export type RootOutcome = 'applied' | 'held' | 'excluded' | 'quarantined' | 'removed';
export type Counts<K extends string> = Readonly<Partial<Record<K, number>>>;
export type BatchReport = {
  readonly events: number;
  /** Changes by legacy table and by what the source did. */
  readonly changesByTable: ReadonlyMap<string, Counts<ChangeEvent['kind']>>;
  readonly transactionsBytes: number;
  /** Roots by entity and outcome; one that the batch derived twice counts twice. */
  readonly rowsByEntity: ReadonlyMap<string, Counts<RootOutcome>>;
  readonly phaseMs: Readonly<Record<string, number>>;
  readonly position: Position;
  readonly heartbeatLagMs: number | null;
};
