import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import { keyText } from '../../core/mirror-table.ts';
import { keyOf } from '../../core/uuid.ts';
import type { MirrorProof } from '../mirror/verify-mirror.ts';
import { faultsOf, tableVerdict } from '../report.ts';
import type { EntityProof, RowFault, TargetProof } from './target-proof.ts';

type LeftFault = { readonly what: string; readonly why: string };

/** What is to be done about one entity: roots to derive again, and what that cannot mend. */
export type EntityRepair = {
  readonly entity: string;
  readonly roots: readonly string[];
  readonly left: readonly LeftFault[];
};

/**
 * Which roots have to be derived again so that the target is what the mirror says. Nothing else is
 * ever written, and nothing where the mirror is not known to be right: that would make one fault
 * into two. A row that no root yields goes the way on which the row of a deleted root goes, as
 * its own root's, and only if its id is one that the entity computes from a key.
 */
export async function planRepair(
  client: pg.ClientBase,
  model: Model,
  proof: TargetProof,
  mirror: MirrorProof,
): Promise<readonly EntityRepair[]> {
  const unproved = new Set(
    mirror.tables.filter((it) => tableVerdict(it) !== 'agrees').map(({ table }) => table),
  );
  const referredTo = await keptByOthers(client, model);
  const repairs: EntityRepair[] = [];
  for (const it of proof.entities) {
    const entity = model.entity.get(it.entity);
    if (entity?.kind !== 'derived' || it.notVerified !== null) continue;
    const tables = [
      ...new Set(model.usages.filter((use) => use.entity === it.entity).map(({ table }) => table)),
    ];
    const doubtful = tables.filter((table) => unproved.has(table));
    const why = `the mirror of ${doubtful.join(', ')} is not known to be right`;
    const isSound = faultsOf(it) === 0;
    const repair =
      doubtful.length > 0 && !isSound
        ? { entity: it.entity, roots: [], left: [{ what: 'its rows', why }] }
        : repairOf(model, entity, it, referredTo);
    if (repair.roots.length + repair.left.length > 0) repairs.push(repair);
  }
  for (const { journal, missing, orphans, waitingWrongly } of proof.journals) {
    if (missing + orphans.count + waitingWrongly.count === 0) continue;
    const why = 'a journal keeps what was seen, and nothing can say that again';
    repairs.push({ entity: journal, roots: [], left: [{ what: 'its entries', why }] });
  }
  return repairs;
}

function repairOf(
  model: Model,
  entity: DerivedEntity,
  { missing, extra, different, marks }: EntityProof,
  referredTo: ReadonlySet<string>,
): EntityRepair {
  const roots = new Set<string>();
  const left: LeftFault[] = [];
  for (const { root } of [...missing.first, ...different.first]) if (root !== null) roots.add(root);
  for (const row of extra.first) {
    const root = rootOf(model, entity, row);
    const why = referredTo.has(row.table)
      ? 'others refer to the table, which has no deleted_at: it cannot be removed by itself'
      : 'its id does not tell a key of the entity: whoever wrote it has to say what it is';
    if (root === null || referredTo.has(row.table)) {
      left.push({ what: `row ${row.id} of ${row.table}`, why });
    } else roots.add(root);
  }
  for (const { root, list } of marks.first) {
    const why = 'it is about a value, not a root: derive the entity again';
    if (root === '') left.push({ what: list, why });
    else roots.add(root);
  }
  const lists = [missing, extra, different, marks];
  const rest = lists.reduce((sum, list) => sum + list.count - list.first.length, 0);
  if (rest > 0)
    left.push({ what: `${rest} more`, why: 'more than are named at a time; ask again' });
  return { entity: entity.name, roots: [...roots], left };
}

/** The root that a row too many belongs to, were it there. */
function rootOf(model: Model, entity: DerivedEntity, { root, id }: RowFault): string | null {
  if (root !== null) return root;
  const table = model.mirror.get(entity.shape.table.name);
  const key = entity.fanOut || table === undefined ? null : keyOf(entity.identity, id);
  if (key === null || table === undefined) return null;
  const parts = typeof key === 'object' ? key.map(String) : [String(key)];
  return parts.length === table.keyLength ? keyText(table, parts) : null;
}

/** Target tables without `deleted_at` that a foreign key of another row points at. */
async function keptByOthers(client: pg.ClientBase, model: Model): Promise<ReadonlySet<string>> {
  const hard = [...model.targets.values()].filter(({ columns }) => !columns.has('deleted_at'));
  const rows = await textRows(
    client,
    `select name from unnest($1::text[], $2::text[]) as given (name, place)
     where exists (select from pg_constraint
       where contype = 'f' and confrelid = place::regclass)`,
    [
      arrayLiteral(hard.map(({ name }) => name)),
      arrayLiteral(hard.map(({ name }) => targetName(name))),
    ],
  );
  return new Set(rows.map(([name]) => name ?? ''));
}
