import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { SHARED_ISSUE } from './marks.ts';

/** What an issue about a journal as a whole stands under. */
const COLUMN = 'entries';
const OPEN = '^changes from (\\S+) on are missing';

const timeText = (time: string) =>
  `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

/**
 * Notes that from the newest applied change on journals do not see what changes; one that is noted
 * already stays as it is. A journal sees a change once: nothing brings these back.
 */
export async function openGap(
  client: pg.ClientBase,
  journals: readonly string[],
  why: string,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.issue (entity, root_key, target_column, reason)
     select journal, '${SHARED_ISSUE}', '${COLUMN}', 'changes from ' || ${timeText(
       `coalesce((select max(committed_at) from tandem.position), now())`,
     )} || ' on are missing: ' || $2::text
     from unnest($1::text[]) as journal
     where not exists (select from tandem.issue
       where entity = journal and target_column = '${COLUMN}' and reason ~ '${OPEN}')
     on conflict do nothing`,
    [arrayLiteral(journals), why],
  );
}

/** They see changes again from now on. */
export async function closeGap(client: pg.ClientBase, journals: readonly string[]): Promise<void> {
  await execute(
    client,
    `update tandem.issue set reason = regexp_replace(reason, '${OPEN}',
       'changes from \\1 to ' || ${timeText('now()')} || ' are missing')
     where entity = any($1::text[]) and target_column = '${COLUMN}' and reason ~ '${OPEN}'`,
    [arrayLiteral(journals)],
  );
}

/** The gaps of a journal, the oldest first. */
export async function gapsOf(client: pg.ClientBase, journal: string): Promise<readonly string[]> {
  const rows = await textRows(
    client,
    `select reason from tandem.issue
     where entity = $1 and root_key = '${SHARED_ISSUE}' and target_column = '${COLUMN}'
     order by first_seen_at`,
    [journal],
  );
  return rows.map(([text]) => text ?? '');
}
