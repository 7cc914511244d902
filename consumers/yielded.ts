import type pg from 'pg';
import { execute, preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { DerivedEntity } from '../core/entity.ts';
import type { Resolved } from './resolve.ts';

/**
 * For entities whose rows do not follow from the root's key: keeps in `tandem.yielded` what these
 * roots yield now.
 *
 * @returns the target rows that no root yields any more
 */
export async function replaceYielded(
  client: pg.ClientBase,
  entity: DerivedEntity,
  roots: readonly Resolved[],
): Promise<{ readonly table: string; readonly id: string }[]> {
  const settled = roots.filter((root) => root.mapped.kind !== 'refused');
  const now = settled.flatMap((root) =>
    root.mapped.kind === 'rows' && root.heldBy.length === 0
      ? root.mapped.rows.map((row) => [root.key, row.table, row.id] as const)
      : [],
  );
  const columns = [0, 1, 2].map((i) => arrayLiteral(now.map((line) => line[i] ?? null)));
  await execute(
    client,
    `insert into tandem.yielded (entity, root_key, target_table, target_id)
     select $1, * from unnest($2::text[], $3::text[], $4::uuid[]) on conflict do nothing`,
    [entity.name, ...columns],
  );
  const dropped = await preparedRows(
    client,
    `delete from tandem.yielded as before
     where entity = $1 and root_key = any($2::text[]) and not exists (
       select from unnest($3::text[], $4::text[], $5::uuid[]) as now (root_key, target_table, target_id)
       where now.root_key = before.root_key and now.target_table = before.target_table
         and now.target_id = before.target_id)
     returning target_table, target_id`,
    [entity.name, arrayLiteral(settled.map((root) => root.key)), ...columns],
  );
  if (dropped.length === 0) return [];
  // A row that moved to another root is that one's now.
  const gone = await preparedRows(
    client,
    `select target_table, target_id from unnest($2::text[], $3::uuid[]) as row_of (target_table, target_id)
     where not exists (select from tandem.yielded as other where other.entity = $1
       and other.target_table = row_of.target_table and other.target_id = row_of.target_id)`,
    [entity.name, ...[0, 1].map((i) => arrayLiteral(dropped.map((row) => row[i] ?? null)))],
  );
  return gone.map(([table, id]) => ({ table: table ?? '', id: id ?? '' }));
}
