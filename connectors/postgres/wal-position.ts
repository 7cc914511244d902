import type pg from 'pg';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { hasMarks, textRows } from './connection.ts';

/** Where the source writes next; on a standby, what it has replayed. */
const WAL_END = `case when pg_is_in_recovery()
  then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end`;

/** Prefix of a mark in the source's WAL. It says nothing but its own commit. */
const MARK_PREFIX = 'tandem.mark';

/** Where the source's log ends now: all that it has committed is before. */
export async function walEnd(source: pg.ClientBase): Promise<Lsn> {
  const [row] = await textRows(source, `select ${WAL_END}`);
  return parseLsn(row?.[0] ?? '');
}

/**
 * The same, for a place that is compared with versions of the stream afterwards: a version that
 * `walEnd` gives is older than every change that is committed behind it.
 *
 * Debezium does not tell a transaction's own commit, only where the commit before it ended, which
 * may lie before a place that was noted between the two. So where the session's database wants it, a
 * transaction of its own commits right behind the place: whatever commits later has that one, or a
 * later one, before it. Not inside of a transaction, which would commit the mark too late.
 */
export async function notedWalEnd(source: pg.ClientBase): Promise<Lsn> {
  const end = await walEnd(source);
  if (hasMarks(source)) {
    await textRows(source, `select pg_logical_emit_message(true, '${MARK_PREFIX}', '')`);
  }
  return end;
}
