import type { Image, MirrorTable } from './mirror-table.ts';
import { BEFORE_ALL, type Version } from './version.ts';

type Stamp = {
  readonly table: MirrorTable;
  readonly version: Version;
  /** Commit time on the source's clock, as timestamptz text; null for rows that were read. */
  readonly committedAt: string | null;
  /** The source's number of its transaction, where it came from the source's log. */
  readonly transactionId?: number;
};

/** A row as it is from this version on. `read` comes from a snapshot, not from the log. */
export type RowWritten = Stamp & {
  readonly kind: 'create' | 'update' | 'read';
  readonly row: Image;
  /** The key before a key change, else null. Only the key's columns are given. */
  readonly oldKey: Image | null;
  /**
   * Its unsent values are not those of the row before: the log could not carry them, so the row has
   * to be read again from the source. Default: no.
   */
  readonly mustRead?: boolean;
  /** It means nothing where the row is not known. Default: no. */
  readonly ifKnown?: boolean;
};

/** A row that is gone. Only the key's columns are given. */
export type RowDeleted = Stamp & { readonly kind: 'delete'; readonly key: Image };

/** The table was emptied. */
export type TableTruncated = Stamp & { readonly kind: 'truncate' };

/**
 * A row of which something was lost on the way: the source says what has become of it.
 *
 * @param key the key's columns
 * @param version newer than what came before it by the same way, older than what comes behind;
 *   default: older than everything
 */
export function lostSight(table: MirrorTable, key: Image, version = BEFORE_ALL): RowWritten {
  const row = table.columns.map((_, i) => (i < table.keyLength ? key[i] : undefined));
  const asked = { mustRead: true, ifKnown: true };
  return { kind: 'update', table, version, committedAt: null, row, oldKey: null, ...asked };
}

/** The one shape of a change, whatever path it came by. */
export type ChangeEvent = RowWritten | RowDeleted | TableTruncated;
