import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import type { JournalEntity } from '../core/entity.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { Ref } from '../core/outcome.ts';
import { isInteger } from './map-roots.ts';
import { mirrorName } from './mirror-schema.ts';
import { groupBy, makerKey, type Model } from './model.ts';

/** A not-null reference of a journal's entry. */
type Parent = { readonly column: string; readonly table: string; readonly ref: Ref };

/**
 * Under this rule an entry is left out whose parent was deleted before it ever had a row: nothing in
 * the target could be named by it, and nothing will come.
 */
const PARENT_DELETED = 'parent_deleted';

/** Which of these parents will not come, as `table uuid`: the source has deleted their root. */
export async function deletedParents(
  client: pg.ClientBase,
  model: Model,
  parents: readonly Parent[],
): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  for (const [name, refs] of groupBy(parents, ({ table, ref }) => makerKey(table, ref.identity))) {
    const maker = model.maker.get(name);
    // The rows of an entity that fans out do not follow from the key of a root.
    if (maker === undefined || maker.fanOut) continue;
    const root = model.mirror.get(maker.shape.table.name);
    if (root === undefined) continue;
    const places = new Map(refs.map(({ table, ref }) => [rootKey(ref), `${table} ${ref.uuid}`]));
    for (const key of await tombstones(client, root, [...places.keys()])) {
      gone.add(places.get(key) ?? '');
    }
  }
  return gone;
}

const rootKey = ({ key }: Ref): string =>
  typeof key === 'object' ? JSON.stringify(key.map(String)) : String(key);

async function tombstones(
  client: pg.ClientBase,
  root: MirrorTable,
  keys: readonly string[],
): Promise<string[]> {
  const columns = root.columns.slice(0, root.keyLength);
  const types = columns.map(({ type }) => (isInteger(type) ? 'bigint' : type));
  const parts = keys
    .map((key) => ({ key, parts: columns.length === 1 ? [key] : (JSON.parse(key) as string[]) }))
    // A reference may carry anything; what cannot be a key of this table is not looked for.
    .filter((it) => it.parts.every((part, i) => mayBe(types[i] ?? 'text', part)));
  if (parts.length === 0) return [];
  const lists = types.map((type, i) => `$${i + 2}::${type}[]`).join(', ');
  const rows = await textRows(
    client,
    `select wanted.key from unnest($1::text[], ${lists}) as wanted (key, ${columns.map((_, i) => `k${i}`).join(', ')})
     join ${mirrorName(root)} as root
       on ${columns.map(({ name }, i) => `root.${ident(name)} = wanted.k${i}`).join(' and ')}
     where root._deleted`,
    [
      arrayLiteral(parts.map(({ key }) => key)),
      ...types.map((_, i) => arrayLiteral(parts.map((it) => it.parts[i] ?? null))),
    ],
  );
  return rows.map(([key]) => key ?? '');
}

function mayBe(type: string, text: string): boolean {
  if (type === 'bigint') return /^-?\d{1,18}$/.test(text);
  if (type === 'uuid') return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
  return /^(text|character varying|character\b)/.test(type);
}

/** Keeps an entry until its parents are there. Delivered again it does not wait twice. */
export async function waitForParents(
  client: pg.ClientBase,
  model: Model,
  entry: { readonly entity: JournalEntity; readonly id: string },
  cells: ReadonlyMap<string, string | null>,
  parents: readonly Parent[],
): Promise<void> {
  await execute(
    client,
    `insert into tandem.journal_waiting (entity, root_key, change) values ($1, $2, $3)
     on conflict do nothing`,
    [entry.entity.name, entry.id, JSON.stringify(Object.fromEntries(cells))],
  );
  for (const { column, table, ref } of parents) {
    const maker = model.maker.get(makerKey(table, ref.identity));
    await execute(
      client,
      `insert into tandem.held (entity, root_key, target_table, target_id, target_column,
         parent_table, parent_entity, parent_key, parent_id)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
      [
        entry.entity.name,
        entry.id,
        entry.entity.targets[0],
        entry.id,
        column,
        table,
        maker?.name ?? ref.identity,
        String(ref.key),
        ref.uuid,
      ],
    );
  }
}

/** Records that an entry is left out. */
export async function excludeEntry(
  client: pg.ClientBase,
  entity: JournalEntity,
  id: string,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.excluded (entity, root_key, rule) values ($1, $2, $3) on conflict do nothing`,
    [entity.name, id, PARENT_DELETED],
  );
}

/** Entries that wait for one of these rows wait no more: its root is gone, and it never came. */
export async function giveUpWaiting(
  client: pg.ClientBase,
  journals: readonly JournalEntity[],
  parentTable: string,
  ids: readonly string[],
): Promise<void> {
  await execute(
    client,
    `with hopeless as (
       select distinct entity, root_key from tandem.held
       where entity = any($1::text[]) and parent_table = $2 and parent_id = any($3::uuid[])
         and not tandem.row_exists(parent_table, parent_id)
     ), waiting as (
       delete from tandem.journal_waiting as entry using hopeless
       where entry.entity = hopeless.entity and entry.root_key = hopeless.root_key
     ), held as (
       delete from tandem.held as mark using hopeless
       where mark.entity = hopeless.entity and mark.root_key = hopeless.root_key
     )
     insert into tandem.excluded (entity, root_key, rule)
     select entity, root_key, $4 from hopeless on conflict do nothing`,
    [
      arrayLiteral(journals.map(({ name }) => name)),
      parentTable,
      arrayLiteral(ids),
      PARENT_DELETED,
    ],
  );
}
