import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { addRootJobs } from './jobs.ts';

/** Refused because of another row: a unique value, an exclusion, a parent. */
const ANOTHER_ROW = 'sqlstate=(23505|23P01|23503)';

/**
 * Has rows derived again that the target refused because of another row. Through a log a value that
 * moves from one row to another may arrive in the row that gets it first, because the two are in
 * partitions that are not equally far; nothing else would derive it again once the other has come.
 * Each further attempt comes after twice the time, up to an hour.
 *
 * @returns how many rows
 */
export async function retryRefused(client: pg.ClientBase): Promise<number> {
  const rows = await textRows(
    client,
    `select entity, array_to_json(array_agg(root_key)) from tandem.quarantine
     where error_class = 'TARGET_REFUSED_ROW' and message ~ '${ANOTHER_ROW}'
       and last_tried_at < now() - least(interval '1 hour', power(2, least(attempts, 12)) * interval '1 second')
     group by entity`,
  );
  let count = 0;
  for (const [entity, keys] of rows) {
    const roots = JSON.parse(keys ?? '[]') as string[];
    await addRootJobs(client, entity ?? '', roots, 'another row stood in the way');
    count += roots.length;
  }
  return count;
}
