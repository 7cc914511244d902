import type { Cell, MirrorTable } from '../../../core/mirror-table.ts';
import type { Lsn } from '../../../core/version.ts';

/** Microseconds since 2000-01-01 00:00 UTC, as the wire gives times. Exact up to the year 2285. */
export type PgMicros = number;

/** The start of a transaction. Protocol version 1 sends a transaction only once it has committed. */
export type BeginMessage = {
  readonly kind: 'begin';
  /** Where the commit record starts: the `commitLsn` of all its changes. */
  readonly commitLsn: Lsn;
  readonly committedAt: PgMicros;
  readonly transactionId: number;
};

export type CommitMessage = {
  readonly kind: 'commit';
  readonly commitLsn: Lsn;
  /** The first byte behind the commit record: whoever goes on there misses nothing. */
  readonly endLsn: Lsn;
};

export type InsertMessage = {
  readonly kind: 'insert';
  readonly table: MirrorTable;
  readonly row: Cell[];
};

export type UpdateMessage = {
  readonly kind: 'update';
  readonly table: MirrorTable;
  /**
   * What the server sent of the old row: the key's columns alone (a key tuple), all mapped columns
   * (REPLICA IDENTITY FULL), or null where the key did not change.
   */
  readonly old: Cell[] | null;
  readonly row: Cell[];
};

export type DeleteMessage = {
  readonly kind: 'delete';
  readonly table: MirrorTable;
  /** The key's columns alone. */
  readonly key: Cell[];
};

export type TruncateMessage = {
  readonly kind: 'truncate';
  readonly tables: readonly MirrorTable[];
};

/** From `pg_logical_emit_message`. The content stays bytes: most of them are not ours. */
export type LogicalMessage = {
  readonly kind: 'message';
  readonly isTransactional: boolean;
  readonly lsn: Lsn;
  readonly prefix: string;
  readonly content: Buffer;
};

/** A mapped table was described; `isFirst` is false where this connection knew it before. */
export type RelationMessage = {
  readonly kind: 'relation';
  readonly table: MirrorTable;
  readonly isFirst: boolean;
};

/** Something that does not concern the mapping. */
export type SkippedMessage = { readonly kind: 'skipped' };

export type PgoutputMessage =
  | BeginMessage
  | CommitMessage
  | InsertMessage
  | UpdateMessage
  | DeleteMessage
  | TruncateMessage
  | LogicalMessage
  | RelationMessage
  | SkippedMessage;
