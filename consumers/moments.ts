import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import { parseLsn, type Lsn } from '../core/version.ts';

/**
 * A place in the log of the source before which nothing was committed at `at` or later, by the
 * source's clock: the newest that is known. So the rows whose version lies there or behind are all
 * that have changed since, and those of some time before, a minute as a rule.
 *
 * A server takes the time of a commit just before it writes it to the log, and heartbeats are
 * stamped before they are written: hence a second of grace.
 *
 * @throws TandemError `TIME_UNKNOWN` naming since when it is known
 */
export async function placeBefore(client: pg.ClientBase, stream: string, at: Date): Promise<Lsn> {
  const time = at.toISOString();
  const [row] = await textRows(
    client,
    `select (select max(position) from tandem.moment
         where stream = $1 and at <= $2::timestamptz - interval '1 second'),
       (select to_char(min(at) + interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
         from tandem.moment where stream = $1)`,
    [stream, time],
  );
  const [place, from] = row ?? [];
  if (place != null) return parseLsn(place);
  throw new TandemError('TIME_UNKNOWN', { asked: time, from: from ?? 'nothing' });
}
