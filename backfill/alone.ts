import type pg from 'pg';
import { textRows, withClient, type Database } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';

/** A session lock by name; where another session has it, that is asked for. */
const TAKE = `select pg_try_advisory_lock(hashtextextended($1, 0))`;
const HOLDER = `select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 1
  and (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)
  and database = (select oid from pg_database where datname = current_database())`;

type Work<T> = {
  readonly target: Database;
  readonly stream: string;
  readonly signal: AbortSignal;
  /** Its signal is aborted with `signal`, and when the lock is lost. */
  readonly work: (signal: AbortSignal) => Promise<T>;
};

/**
 * Does `work` while no other process loads this target: two at a time would bring rows that the
 * one that is done first already changes by its stream. The lock ends with the session that holds
 * it, so a process that was killed leaves none; and a process whose session was ended (it was
 * frozen, and somebody took it for dead) begins nothing more.
 *
 * @throws TandemError `BACKFILL_RUNNING` with the target's process that holds the lock,
 *   `TARGET_UNREACHABLE` where it was lost
 */
export async function alone<T>({ target, stream, signal, work }: Work<T>): Promise<T> {
  return withClient(target, 'backfill lock', async (client) => {
    const name = `tandem backfill ${stream}`;
    const [taken] = await textRows(client, TAKE, [name]);
    if (taken?.[0] !== 't') {
      const [holder] = await textRows(client, HOLDER, [name]);
      throw new TandemError('BACKFILL_RUNNING', { stream, pid: holder?.[0] ?? 'unknown' });
    }
    return await work(AbortSignal.any([signal, lossOf(client)]));
  });
}

function lossOf(client: pg.Client): AbortSignal {
  const lost = new AbortController();
  const reason = 'the session that kept other processes from loading has ended';
  client.once('end', () => lost.abort(new TandemError('TARGET_UNREACHABLE', { reason })));
  return lost.signal;
}
