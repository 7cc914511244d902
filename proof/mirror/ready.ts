import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { parseLsn } from '../../core/version.ts';
import type { StreamWatch } from './stream-watch.ts';

/**
 * Why a table cannot be compared now, or null. A copy may hold newer rows than their versions say
 * until the stream has passed the place at which its last chunk was read.
 */
export async function whyNotReady(
  target: pg.ClientBase,
  watch: StreamWatch,
  table: MirrorTable,
): Promise<string | null> {
  const [row] = await textRows(
    target,
    'select columns, loaded_at is not null, read_until from tandem.mirror where table_name = $1',
    [table.name],
  );
  if (row === undefined) return 'it is not set up; next: tandem setup';
  const [columns, isLoaded, readUntil] = row;
  if (!isSame(columns ?? '[]', table)) {
    return 'the mirror was made for other columns or types than the mapping reads and the source has now; next: tandem setup';
  }
  if (isLoaded !== 't') return 'its copy is not complete; next: tandem backfill';
  if (readUntil != null && !(await watch.waitFor(parseLsn(readUntil)))) {
    return `the stream has not passed its copy: ${watch.stalled ?? 'it is on its way'}`;
  }
  return null;
}

function isSame(recorded: string, { columns }: MirrorTable): boolean {
  const now = columns.map(({ name, sourceType }) => [name, sourceType]);
  return JSON.stringify(JSON.parse(recorded)) === JSON.stringify(now);
}
