import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import type { Mapping } from '../core/entity.ts';

/** A time of which a journal lacks the changes, in words. */
export type JournalGap = { readonly journal: string; readonly text: string };

/** The gaps of all journals, the oldest first: what stands on the list of issues about a journal as a whole. */
export async function journalGaps(
  client: pg.ClientBase,
  mapping: Mapping,
): Promise<readonly JournalGap[]> {
  const journals = new Set(
    mapping.entities.filter((it) => it.kind === 'journal').map((it) => it.name),
  );
  if (journals.size === 0) return [];
  const rows = await textRows(
    client,
    `select entity, reason from tandem.issue where root_key = '' order by first_seen_at, entity`,
  );
  return rows
    .map(([journal, text]) => ({ journal: journal ?? '', text: text ?? '' }))
    .filter(({ journal }) => journals.has(journal));
}
