import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { preparedRows } from '../connectors/postgres/connection.ts';

/** Target rows that are new, by table. */
type Arrivals = ReadonlyMap<string, readonly string[]>;

/** The roots that wait for one of these rows: held, or applied with a null in its place. */
export async function waitingFor(
  client: pg.ClientBase,
  arrivals: Arrivals,
): Promise<Map<string, Set<string>>> {
  const waiting = new Map<string, Set<string>>();
  for (const [table, ids] of arrivals) {
    if (ids.length === 0) continue;
    const rows = await preparedRows(
      client,
      `select entity, root_key from tandem.unresolved
         where parent_table = $1 and parent_id = any($2::uuid[])
       union
       select entity, root_key from tandem.held
         where parent_table = $1 and parent_id = any($2::uuid[])`,
      [table, arrayLiteral(ids)],
    );
    for (const [entity, key] of rows) {
      let keys = waiting.get(entity ?? '');
      if (keys === undefined) waiting.set(entity ?? '', (keys = new Set<string>()));
      keys.add(key ?? '');
    }
  }
  return waiting;
}
