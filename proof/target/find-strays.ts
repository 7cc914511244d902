import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { keyTextSql, idSql } from '../../connectors/postgres/root-sql.ts';
import { literal } from '../../connectors/postgres/sql.ts';
import { keyForm } from '../../consumers/map-roots.ts';
import { MARKS, type Mark } from '../../consumers/marks.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { uuidOf, uuidRange } from '../../core/uuid.ts';
import { REFUSED_REMOVALS } from '../refused-removals.ts';
import { findLeftBehind } from './compare-yielded.ts';
import type { Sink } from './findings.ts';
import type { IdSpace, PageCheck } from './verify-page.ts';

/** So many of what is found are read at a time. */
const AT_ONCE = 10_000;

/** The ids that an entity gives out: its own, or those that its rows were seen to have. */
export function idSpaces(
  entity: DerivedEntity,
  root: MirrorTable,
  seen: readonly IdSpace[],
): readonly IdSpace[] {
  const own = entity.targets.map((table) => ({
    table,
    identity: entity.identity,
    form: keyForm(root),
  }));
  if (!entity.fanOut) return own;
  const isSeen = (one: IdSpace) =>
    seen.some((it) => it.table === one.table && it.identity === one.identity);
  return [...seen, ...own.filter((one) => !isSeen(one))];
}

export const liveSql = (model: Model, table: string, alias: string): string =>
  model.targets.get(table)?.columns.has('deleted_at') === true
    ? `${alias}.deleted_at is null`
    : 'true';

/**
 * Finds live rows with ids of the entity that no root yields. Most often a count says that there
 * are none: every root that is there has been looked at, and its live rows were counted.
 *
 * @returns how many live rows of a migration no root has adopted, by table
 */
export async function findExtraRows(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  page: PageCheck,
  findings: Sink,
): Promise<ReadonlyMap<string, number>> {
  const root = model.mirror.get(entity.shape.table.name);
  const seeds = new Map<string, number>();
  if (root === undefined) return seeds;
  const seedIds = new Set(entity.seeds.map((key) => uuidOf(entity.identity, key)));
  for (const space of idSpaces(entity, root, page.spaces)) {
    const { table } = space;
    if (!entity.fanOut && (await countLive(client, model, space)) === page.live(table)) continue;
    const sql = entity.fanOut
      ? notYielded(model, space)
      : withoutRoot(model, entity, root, table, space);
    const { first, last } = uuidRange(space.identity, space.form);
    const of = entity.fanOut ? [] : [entity.name];
    for (let after = first; ;) {
      const from = after === first ? '>=' : '>';
      const rows = await textRows(client, sql(from), [after, last, AT_ONCE, ...of]);
      for (const [id, key] of rows) {
        if (key == null && seedIds.has(id ?? '')) seeds.set(table, (seeds.get(table) ?? 0) + 1);
        else findings.row('extra', { root: key ?? null, table, id: id ?? '', columns: [] });
      }
      if (rows.length < AT_ONCE) break;
      after = rows.at(-1)?.[0] ?? last;
    }
  }
  return seeds;
}

async function countLive(client: pg.ClientBase, model: Model, space: IdSpace): Promise<number> {
  const { first, last } = uuidRange(space.identity, space.form);
  const [row] = await textRows(
    client,
    `select count(*) from ${targetName(space.table)} as t
     where t.id between $1 and $2 and ${liveSql(model, space.table, 't')}`,
    [first, last],
  );
  return Number(row?.[0]);
}

/** Live rows without a live root; with the key of the root that was there once. */
function withoutRoot(
  model: Model,
  entity: DerivedEntity,
  root: MirrorTable,
  table: string,
  { form }: IdSpace,
): (from: string) => string {
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  return (from) => `select t.id, root.key from ${targetName(table)} as t
    left join (select ${idSql(entity.identity, form, 'r', key)} as id, r._deleted,
        ${keyTextSql('r', key)} as key
      from ${mirrorName(root)} as r) as root on root.id = t.id
    where t.id ${from} $1 and t.id <= $2 and ${liveSql(model, table, 't')}
      and (root.id is null or root._deleted)
      and (root.key is null or root.key not in (${REFUSED_REMOVALS.replaceAll('$1', '$4')}))
    order by t.id limit $3`;
}

/** Live rows that are on no record of what was yielded. */
function notYielded(model: Model, { table }: IdSpace): (from: string) => string {
  return (from) => `select t.id, null from ${targetName(table)} as t
    where t.id ${from} $1 and t.id <= $2 and ${liveSql(model, table, 't')}
      and not exists (select from tandem.yielded as y
        where y.target_id = t.id and y.target_table = ${literal(table)})
    order by t.id limit $3`;
}

/** Finds entries of the lists about roots that are not there (any more). */
export async function findStrayMarks(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  lists: readonly Mark[],
  findings: Sink,
): Promise<void> {
  const root = model.mirror.get(entity.shape.table.name);
  if (root === undefined) return;
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  // An issue about a value, not a root, stands under an empty key. What could not be removed stays.
  const stray = `mark.entity = $1 and mark.root_key <> ''
    and mark.root_key not in (${REFUSED_REMOVALS}) and not exists (
    select from ${mirrorName(root)} as r where not r._deleted
      and ${keyTextSql('r', key)} = mark.root_key)`;
  for (const list of lists) {
    const columns: readonly string[] = MARKS[list];
    const of = columns.includes('target_column') ? 'mark.target_column' : 'null';
    const rows = await textRows(
      client,
      `select mark.root_key, ${of} from tandem.${list} as mark where ${stray}`,
      [entity.name],
    );
    for (const [key, of] of rows) {
      findings.mark({ list, kind: 'extra', root: key ?? '', of: of ?? null });
    }
  }
  if (!entity.fanOut) return;
  const rows = await textRows(
    client,
    `select mark.root_key, mark.target_table, mark.target_id from tandem.yielded as mark
     where ${stray}`,
    [entity.name],
  );
  const stale = rows.map(([root, table, id]) => ({
    root: root ?? '',
    table: table ?? '',
    id: id ?? '',
  }));
  for (const { root, table } of stale) {
    findings.mark({ list: 'yielded', kind: 'extra', root, of: table });
  }
  for (let i = 0; i < stale.length; i += AT_ONCE) {
    const part = stale.slice(i, i + AT_ONCE);
    await findLeftBehind(client, model, entity, part, findings);
  }
}
