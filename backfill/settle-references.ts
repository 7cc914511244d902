import type pg from 'pg';
import { statementError, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident, literal } from '../connectors/postgres/sql.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { keysBehind, rootTable } from '../consumers/affected.ts';
import { addRootJobs } from '../consumers/jobs.ts';
import { isInteger, legacyKey } from '../consumers/map-roots.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import type { Model } from '../consumers/model.ts';
import { references } from '../consumers/resolve.ts';
import { targetName } from '../consumers/write-rows.ts';
import type { DerivedEntity } from '../core/entity.ts';
import { keyText, type MirrorColumn, type MirrorTable } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';
import { uuidOf, uuidRange } from '../core/uuid.ts';

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
  const [mine, ...mineValues] = rowsOf(entity, name);
  const orphans = new Set<string>();
  const unbearable = new Set<string>();
  for (const [column, parent] of references(table)) {
    const rows = await textRows(
      client,
      `select child.id from ${targetName(name)} as child
       where child.${ident(column)} is not null and ${mine}
         and not exists (select from ${targetName(parent.table)} as parent
           where parent.id = child.${ident(column)})`,
      mineValues,
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
    await inTransaction(client, async () => {
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
      await addRootJobs(client, entity.name, keys, 'a parent is missing');
    });
  } catch (error) {
    throw statementError('target', error, 'settle references');
  }
  return unbearable.size > 0;
}

/** Which rows of the table are the entity's: a condition on `child`, and its parameters. */
function rowsOf(entity: DerivedEntity, table: string): readonly [string, ...string[]] {
  if (entity.fanOut) {
    const yielded = `child.id in (select target_id from tandem.yielded
      where entity = $1 and target_table = $2)`;
    return [yielded, entity.name, table];
  }
  const { first, last } = uuidRange(entity.identity);
  return ['child.id between $1 and $2', first, last];
}

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
  const form = idArguments(key);
  if (form === null) return searchedKeys(client, root, entity, new Set(ids));
  const rows = await textRows(
    client,
    `select ${key.map(({ name }) => ident(name)).join(', ')} from ${mirrorName(root)}
     where tandem.uuid_of(${literal(entity.identity)}, ${form}) = any($1::uuid[])`,
    [arrayLiteral(ids)],
  );
  return rows.map((row) => keyText(root, row));
}

/** What `tandem.uuid_of` takes for a root's key; null where SQL has no form for it. */
function idArguments(key: readonly MirrorColumn[]): string | null {
  if (!key.every(({ type }) => isInteger(type)) || key.length > 2) return null;
  const type = key.length === 1 ? 'bigint' : 'integer';
  return key.map(({ name }) => `${ident(name)}::${type}`).join(', ');
}

const PAGE_ROWS = 10_000;

/** The keys that have one of these ids, by computing the id of every root. */
async function searchedKeys(
  client: pg.ClientBase,
  root: MirrorTable,
  entity: DerivedEntity,
  ids: ReadonlySet<string>,
): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | null = null; ;) {
    const page: string[] = await keysBehind(client, root, after, PAGE_ROWS);
    found.push(...page.filter((key) => ids.has(uuidOf(entity.identity, legacyKey(root, key)))));
    if (page.length < PAGE_ROWS) return found;
    after = page.at(-1) ?? null;
  }
}
