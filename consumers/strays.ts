import type pg from 'pg';
import { execute, statementError, textRows } from '../connectors/postgres/connection.ts';
import { idSql, keyTextSql } from '../connectors/postgres/root-sql.ts';
import { arrayLiteral, literal } from '../connectors/postgres/sql.ts';
import type { DerivedEntity } from '../core/entity.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { uuidOf, uuidRange } from '../core/uuid.ts';
import { rootTable } from './affected.ts';
import { checkNow } from './check-now.ts';
import { keyForm } from './map-roots.ts';
import { MARK_NAMES, SHARED_ISSUE } from './marks.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model, TargetTable } from './model.ts';
import { removeRows, targetName } from './write-rows.ts';

/** The `usage` of a job that removes the rows of roots that no list of keys can name. */
export const STRAYS = 'strays';

/** So many rows are looked for at a time: each time all of the mirror's keys are gone through. */
const PORTION = 20_000;

/** Notes that an entity's root table got another key: what the old keys yielded is to be found. */
export const mayHaveStrays = (entity: string): string =>
  `insert into tandem.entity (name, has_strays) values (${literal(entity)}, true)
   on conflict (name) do update set has_strays = true`;

/** Behind a job for all roots: what is there now without a root is a stray. */
export async function addStraysJob(
  client: pg.ClientBase,
  model: Model,
  entity: string,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.job (entity, usage, values, reason)
     select name, '${STRAYS}', '{}', 'its root table got another key' from tandem.entity
     where name = $1 and has_strays
       and exists (select from tandem.mirror where table_name = $2 and loaded_at is not null)
       and not exists (select from tandem.job where entity = $1 and usage = '${STRAYS}')`,
    [entity, rootTable(model, entity).name],
  );
}

/** An id of a row, with the table. */
type Stray = { readonly table: TargetTable; readonly id: string };

/**
 * Removes live target rows of an entity that none of its roots yields, in the order of their ids. The
 * entity is locked, and derived from the mirror as it is. A row that cannot be removed stays, and an
 * issue says so.
 *
 * @returns `after`: the last id that was looked at; null: there are no more
 */
export async function removeStrays(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  after: string | null,
): Promise<{ removed: number; kept: number; after: string | null }> {
  const root = rootTable(model, entity.name);
  const found: Stray[] = [];
  let last: string | null = null;
  // Children first, as everywhere.
  for (const name of entity.targets.toReversed()) {
    const table = model.targets.get(name);
    if (table === undefined) continue;
    const ids = await strayIds(client, entity, { root, table, after });
    const end = ids.length === PORTION ? (ids.at(-1) ?? null) : null;
    if (end !== null && (last === null || end < last)) last = end;
    found.push(...ids.map((id) => ({ table, id })));
  }
  const until = last;
  const strays = until === null ? found : found.filter(({ id }) => id <= until);
  const kept = await removeEach(client, entity, strays);
  return { removed: strays.length - kept, kept, after: until };
}

/** The next live rows, in the order of their ids. */
async function strayIds(
  client: pg.ClientBase,
  entity: DerivedEntity,
  given: { readonly root: MirrorTable; readonly table: TargetTable; readonly after: string | null },
): Promise<string[]> {
  const { root, table } = given;
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  const isLive = table.columns.has('deleted_at') ? 'and t.deleted_at is null' : '';
  const { first, last } = uuidRange(entity.identity);
  const from = given.after === null ? '>=' : '>';
  // Of a fan-out what was yielded is known; of the others the id follows from the key.
  const strays = entity.fanOut
    ? `select t.id from ${targetName(table.name)} as t
       where t.id ${from} $1 ${isLive} and exists (select from tandem.yielded as y
           where y.entity = $3 and y.target_table = $2 and y.target_id = t.id)
         and not exists (select from tandem.yielded as y
           join ${mirrorName(root)} as r on ${keyTextSql('r', key)} = y.root_key and not r._deleted
           where y.entity = $3 and y.target_table = $2 and y.target_id = t.id)`
    : `select t.id from ${targetName(table.name)} as t
       left join (select ${idSql(entity.identity, keyForm(root), 'r', key)} as id
         from ${mirrorName(root)} as r where not r._deleted) as root on root.id = t.id
       where t.id ${from} $1 and t.id <= $2 ${isLive} and root.id is null and t.id <> all($3::uuid[])`;
  const start = given.after ?? (entity.fanOut ? FIRST_ID : first);
  const seeds = arrayLiteral(entity.seeds.map((it) => uuidOf(entity.identity, it)));
  const values = entity.fanOut ? [start, table.name, entity.name] : [start, last, seeds];
  const rows = await textRows(client, `${strays} order by t.id limit ${PORTION}`, values);
  return rows.map(([id]) => id ?? '');
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Removes rows under savepoints, halved where some cannot go; returns how many stay. */
async function removeEach(
  client: pg.ClientBase,
  entity: DerivedEntity,
  strays: readonly Stray[],
): Promise<number> {
  if (strays.length === 0) return 0;
  await execute(client, 'savepoint strays');
  try {
    for (const table of new Set(strays.map((it) => it.table))) {
      const ids = strays.filter((it) => it.table === table).map(({ id }) => id);
      await removeRows(client, table, ids);
      if (!entity.fanOut) continue;
      await execute(
        client,
        `delete from tandem.yielded
         where entity = $1 and target_table = $2 and target_id = any($3::uuid[])`,
        [entity.name, table.name, arrayLiteral(ids)],
      );
    }
    await checkNow(client);
    await execute(client, 'release savepoint strays');
    return 0;
  } catch (error) {
    const named = statementError('target', error, 'remove');
    if (named.code !== 'TARGET_FAILED') throw named;
    await execute(client, 'rollback to savepoint strays');
    await execute(client, 'release savepoint strays');
    const [only] = strays;
    if (only !== undefined && strays.length === 1) {
      const { constraint = '', sqlstate = '' } = named.details;
      const reason = `row ${only.id} belongs to no root and cannot be removed: ${sqlstate} ${constraint}`;
      await execute(
        client,
        `insert into tandem.issue (entity, root_key, target_column, reason)
         values ($1, '${SHARED_ISSUE}', 'id', $2) on conflict do nothing`,
        [entity.name, reason.trim()],
      );
      return 1;
    }
  }
  const half = strays.length >> 1;
  const first = await removeEach(client, entity, strays.slice(0, half));
  return first + (await removeEach(client, entity, strays.slice(half)));
}

/** All are gone: so is what the lists say of roots that the mirror does not know. */
export async function forgetStrays(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
): Promise<void> {
  const root = rootTable(model, entity.name);
  const key = root.columns.slice(0, root.keyLength).map(({ name }) => name);
  for (const list of [...MARK_NAMES, 'accepted']) {
    await execute(
      client,
      `delete from tandem.${list} where entity = $1 and root_key <> '${SHARED_ISSUE}'
       and root_key not in (select ${keyTextSql('r', key)} from ${mirrorName(root)} as r)`,
      [entity.name],
    );
  }
  await execute(client, 'update tandem.entity set has_strays = false where name = $1', [
    entity.name,
  ]);
}
