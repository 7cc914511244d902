import type pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { catalogName, type TableName } from './catalog.ts';
import { openClient, statementError, textRows, type Database } from './connection.ts';

type PublishedStream = {
  readonly publication: string;
  readonly tables: readonly TableName[];
};

const KINDS = `
  select pubinsert and pubupdate and pubdelete
    and coalesce((to_jsonb(p) ->> 'pubtruncate')::boolean, true)
  from pg_publication p where pubname = $1`;

/** Works for lists of tables, for schemas and for all tables. */
const COVERED = `
  select schemaname, tablename, to_jsonb(t) ->> 'rowfilter' is not null
  from pg_publication_tables t where pubname = $1`;

/**
 * Checks that the publication exists and sends every change of every table: a server since version
 * 18 skips a publication that is missing without an error, and every server is silent about a table
 * that is not in it.
 *
 * @throws TandemError `NOT_SET_UP` without a publication, `TABLE_UNPUBLISHED` naming what is not sent
 */
export async function requirePublished(
  client: pg.ClientBase,
  { publication, tables }: PublishedStream,
): Promise<void> {
  try {
    const [found] = await textRows(client, KINDS, [publication]);
    if (found === undefined) {
      throw new TandemError('NOT_SET_UP', { missing: 'publication', publication });
    }
    const sendsAllKinds = found[0] === 't';
    const rows = await textRows(client, COVERED, [publication]);
    const whole = new Set(
      rows.flatMap(([schema, relation, isFiltered]) =>
        sendsAllKinds && isFiltered !== 't' ? [`${schema}.${relation}`] : [],
      ),
    );
    const lacking = tables.map(catalogName).filter((name) => !whole.has(name));
    if (lacking.length > 0) {
      throw new TandemError('TABLE_UNPUBLISHED', { publication, tables: lacking.join(', ') });
    }
  } catch (error) {
    throw statementError('source', error, 'check publication');
  }
}

/**
 * Repeats that check until `signal` aborts, each time on a connection of its own, and tells `onGap`
 * once. A source that cannot be reached is no gap: the stream itself will say so.
 */
export async function watchPublication(options: {
  readonly database: Database;
  readonly stream: PublishedStream;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onGap: (error: TandemError) => void;
}): Promise<void> {
  const { database, stream, intervalMs, clock, signal, onGap } = options;
  for (;;) {
    await clock.sleep(intervalMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const client = await openClient(database, 'publication watch');
      await requirePublished(client, stream).finally(() => client.end());
    } catch (error) {
      const isGap =
        error instanceof TandemError &&
        (error.code === 'TABLE_UNPUBLISHED' || error.code === 'NOT_SET_UP');
      if (isGap) return onGap(error);
    }
  }
}
