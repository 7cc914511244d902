import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';

/** A session of the stream ended with a failure, and nothing has come since. */
export type Interruption = { readonly error: string; readonly ageSeconds: number };

/** Null where the stream has moved on, or was not interrupted. */
export async function lastInterruption(
  target: pg.ClientBase,
  stream: string,
): Promise<Interruption | null> {
  const [row] = await textRows(
    target,
    `select counters->>'error', extract(epoch from clock_timestamp() - finished_at)
     from tandem.run
     where kind = 'stream' and status = 'failed' and finished_at > (
       select updated_at from tandem.position where stream = $1)
     order by finished_at desc limit 1`,
    [stream],
  );
  return row === undefined ? null : { error: row[0] ?? '', ageSeconds: Number(row[1]) };
}
