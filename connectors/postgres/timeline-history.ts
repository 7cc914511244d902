import type pg from 'pg';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { openClient, statementError, textRows, type Database } from './connection.ts';

/** An earlier timeline of a server, and where in the log its successor left it. */
export type TimelineEnd = { readonly timeline: number; readonly end: Lsn };

/**
 * The timelines that `timeline` came out of, the oldest first. The server tells them on a replication
 * connection, to whoever may stream.
 *
 * @throws TandemError `SOURCE_FAILED` where the server does not have the file (any more)
 */
export async function readTimelineHistory(
  database: Database,
  timeline: number,
): Promise<readonly TimelineEnd[]> {
  if (timeline === 1) return []; // the first one has no file
  const client = await openClient(forReplication(database), 'timeline');
  try {
    const [row] = await textRows(client, `TIMELINE_HISTORY ${timeline}`);
    return parseTimelineHistory(row?.[1] ?? '');
  } catch (error) {
    throw statementError('source', error, `read the history of timeline ${timeline}`);
  } finally {
    await client.end();
  }
}

/** A line: number, position, reason; between them tabs. Lines of comment begin with #. */
export function parseTimelineHistory(text: string): readonly TimelineEnd[] {
  return text.split('\n').flatMap((line) => {
    const [, timeline, end] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    if (timeline === undefined || end === undefined) return [];
    return [{ timeline: Number(timeline), end: parseLsn(end) }];
  });
}

function forReplication(database: Database): Database {
  const client: pg.ClientConfig & { readonly replication: string } = {
    ...database.client,
    replication: 'database',
  };
  return { ...database, client };
}
