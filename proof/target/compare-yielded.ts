import type pg from 'pg';
import { preparedRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import type { Model } from '../../consumers/model.ts';
import type { Resolved } from '../../consumers/resolve.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { Sink } from './findings.ts';

type Yielded = { readonly root: string; readonly table: string; readonly id: string };

/**
 * What an entity that fans out has recorded of its roots' rows against what they yield now. A
 * refused root keeps the record of the rows from before.
 */
export async function compareYielded(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  resolved: readonly Resolved[],
  findings: Sink,
): Promise<void> {
  const settled = resolved.filter((root) => root.mapped.kind !== 'refused');
  const wanted = new Map<string, Yielded>();
  for (const root of settled) {
    if (root.mapped.kind !== 'rows' || root.heldBy.length > 0) continue;
    for (const { table, id } of root.mapped.rows) {
      const one = { root: root.key, table, id };
      wanted.set(nameOf(one), one);
    }
  }
  const rows = await preparedRows(
    client,
    `select root_key, target_table, target_id from tandem.yielded
     where entity = $1 and root_key = any($2::text[])`,
    [entity.name, arrayLiteral(settled.map(({ key }) => key))],
  );
  const found = new Map(
    rows.map(([root, table, id]) => {
      const one: Yielded = { root: root ?? '', table: table ?? '', id: id ?? '' };
      return [nameOf(one), one];
    }),
  );
  for (const [name, { root, table }] of wanted) {
    if (!found.has(name)) findings.mark({ list: 'yielded', kind: 'missing', root, of: table });
  }
  const stale = [...found].filter(([name]) => !wanted.has(name)).map(([, one]) => one);
  for (const { root, table } of stale) {
    findings.mark({ list: 'yielded', kind: 'extra', root, of: table });
  }
  // One that another root yields now has only the wrong record (of another page: is named, too).
  const places = new Set([...wanted.values()].map(({ table, id }) => `${table} ${id}`));
  const left = stale.filter(({ table, id }) => !places.has(`${table} ${id}`));
  await findLeftBehind(client, model, entity, left, findings);
}

/** Live rows on record of roots that do not yield them; of no other root, for it might. */
export async function findLeftBehind(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  stale: readonly Yielded[],
  findings: Sink,
): Promise<void> {
  for (const name of entity.targets) {
    const mine = stale.filter(({ table }) => table === name);
    if (mine.length === 0) continue;
    const isSoft = model.targets.get(name)?.columns.has('deleted_at') === true;
    const rows = await preparedRows(
      client,
      `select gone.root_key, gone.id from unnest($1::text[], $2::uuid[]) as gone (root_key, id)
       join ${targetName(name)} as row_now on row_now.id = gone.id
       where ${isSoft ? 'row_now.deleted_at is null' : 'true'} and not exists (
         select from tandem.yielded as other where other.entity = $3 and other.target_table = $4
           and other.target_id = gone.id and other.root_key <> gone.root_key)`,
      [
        arrayLiteral(mine.map(({ root }) => root)),
        arrayLiteral(mine.map(({ id }) => id)),
        entity.name,
        name,
      ],
    );
    for (const [root, id] of rows) {
      findings.row('extra', { root: root ?? '', table: name, id: id ?? '', columns: [] });
    }
  }
}

const nameOf = ({ root, table, id }: Yielded) => JSON.stringify([root, table, id]);
