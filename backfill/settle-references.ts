import type pg from 'pg';
import { statementError, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident, literal } from '../connectors/postgres/sql.ts';
import { rootTable } from '../consumers/affected.ts';
import { addJob } from '../consumers/jobs.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import type { Model } from '../consumers/model.ts';
import { references } from '../consumers/resolve.ts';
import { targetName } from '../consumers/write-rows.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { keyText } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';
import { uuidRange } from '../core/uuid.ts';

/**
 * After the bulk derive: finds every reference whose parent has no row. The roots concerned become
 * jobs, which derive them in the ordinary way (null and recorded as unresolved, or held). A row
 * that must not be without its parent is taken out again first, which may leave others without
 * theirs: repeated until none is left.
 */
export async function settleReferences(
  client: pg.ClientBase,
  model: Model,
  entities: readonly DerivedEntity[],
  observer: Observer,
): Promise<void> {
  for (let found = true; found;) {
    found = false;
    for (const entity of entities) {
      for (const table of entity.targets) {
        const removed = await settleTable(client, model, entity, table, observer);
        found ||= removed;
      }
    }
  }
}

/** @returns whether rows were taken out, so that their children have to be looked at (again) */
async function settleTable(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  name: string,
  observer: Observer,
): Promise<boolean> {
  const table = model.targets.get(name);
  if (table === undefined) return false;
  const { first, last } = uuidRange(entity.identity);
  const orphans = new Set<string>();
  const unbearable = new Set<string>();
  for (const [column, parent] of references(table)) {
    const rows = await textRows(
      client,
      `select child.id from ${targetName(name)} as child
       where child.${ident(column)} is not null and child.id between $1 and $2
         and not exists (select from ${targetName(parent.table)} as parent
           where parent.id = child.${ident(column)})`,
      [first, last],
    );
    for (const [id] of rows) (parent.notNull ? unbearable : orphans).add(id ?? '');
  }
  if (orphans.size + unbearable.size === 0) return false;
  const ids = [...orphans, ...unbearable];
  const keys = await rootKeysOf(client, model, entity, name, ids);
  observer.event('references without parent', {
    entity: entity.name,
    table: name,
    rows: ids.length,
  });
  try {
    await client.query('begin');
    // Nulls first, so that the foreign keys can be made again even if the job has not run yet.
    for (const [column, parent] of references(table)) {
      if (parent.notNull) continue;
      await client.query(
        `update ${targetName(name)} as child set ${ident(column)} = null
         where child.id = any($1::uuid[]) and not exists (
           select from ${targetName(parent.table)} as parent where parent.id = child.${ident(column)})`,
        [arrayLiteral(ids)],
      );
    }
    await client.query(`delete from ${targetName(name)} where id = any($1::uuid[])`, [
      arrayLiteral([...unbearable]),
    ]);
    for (let i = 0; i < keys.length; i += JOB_KEYS) {
      await addJob(client, {
        entity: entity.name,
        usage: null,
        values: keys.slice(i, i + JOB_KEYS),
        reason: 'a parent is missing',
      });
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw statementError('target', error, 'settle references');
  }
  return unbearable.size > 0;
}

const JOB_KEYS = 10_000;

/** The roots that yielded these rows. */
async function rootKeysOf(
  client: pg.ClientBase,
  model: Model,
  entity: DerivedEntity,
  table: string,
  ids: readonly string[],
): Promise<string[]> {
  if (entity.fanOut) {
    const rows = await textRows(
      client,
      `select distinct root_key from tandem.yielded
       where entity = $1 and target_table = $2 and target_id = any($3::uuid[])`,
      [entity.name, table, arrayLiteral(ids)],
    );
    return rows.map((row) => row[0] ?? '');
  }
  const root = rootTable(model, entity.name);
  const key = root.columns.slice(0, root.keyLength);
  const list = key.map(({ name }) => ident(name)).join(', ');
  const form = key.every(({ type }) => /int/.test(type)) ? list : `(${list})::text`;
  const rows = await textRows(
    client,
    `select ${list} from ${mirrorName(root)}
     where tandem.uuid_of(${literal(entity.identity)}, ${form}) = any($1::uuid[])`,
    [arrayLiteral(ids)],
  );
  return rows.map((row) => keyText(root, row));
}
