import { textRows, withClient, type Database } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';

/** A session lock by name; null where another session has it, which is then asked for. */
const TAKE = `select pg_try_advisory_lock(hashtextextended($1, 0))`;
const HOLDER = `select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 1
  and (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)
  and database = (select oid from pg_database where datname = current_database())`;

/**
 * Does `work` while no other process loads this target: two at a time would bring rows that the
 * one that is done first already changes by its stream. The lock ends with the session that holds
 * it, so a process that was killed leaves none.
 *
 * @throws TandemError `BACKFILL_RUNNING` with the target's process that holds the lock
 */
export async function alone<T>(
  target: Database,
  stream: string,
  work: () => Promise<T>,
): Promise<T> {
  return withClient(target, 'backfill lock', async (client) => {
    const name = `tandem backfill ${stream}`;
    const [taken] = await textRows(client, TAKE, [name]);
    if (taken?.[0] === 't') return work();
    const [holder] = await textRows(client, HOLDER, [name]);
    throw new TandemError('BACKFILL_RUNNING', { stream, pid: holder?.[0] ?? 'unknown' });
  });
}
