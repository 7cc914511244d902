import { ident } from '../../connectors/postgres/sql.ts';
import type { SmallWorld } from './small-world.ts';

/** What another way may make otherwise: times of the target, and the order of arrival. */
const ANYBODYS = new Set(['updated_at', 'position']);
/** Whether a row that is gone left one behind depends on the order of arrival. */
const IS_LIVE: Readonly<Record<string, string>> = {
  deleted_at: 'deleted_at is null',
  _deleted: 'not _deleted',
};
/** An entry's id is made of the version, which Debezium has another one for. */
const ID_OF_VERSION = new Set(['public.status_changes.id']);

/** By table: its rows as text, sorted. Of the mirror all that the source has, of the target all. */
export async function endState({ target }: SmallWorld): Promise<Record<string, readonly string[]>> {
  const columns = await target.query(
    `select table_schema as schema, table_name as relation, column_name as name
     from information_schema.columns
     where table_schema in ('public', 'legacy') order by 1, 2, ordinal_position`,
  );
  const tables = new Map<string, string[]>();
  for (const { schema, relation, name } of columns) {
    const table = `${ident(String(schema))}.${ident(String(relation))}`;
    tables.set(table, [...(tables.get(table) ?? []), String(name)]);
  }
  const state: Record<string, readonly string[]> = {};
  for (const [table, names] of tables) state[table] = await linesOf(target, table, names);
  return state;
}

async function linesOf(
  target: SmallWorld['target'],
  table: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const bare = table.replaceAll('"', '');
  const kept = names.filter(
    (name) => !name.startsWith('_') && !ANYBODYS.has(name) && !ID_OF_VERSION.has(`${bare}.${name}`),
  );
  const live = names.flatMap((name) => IS_LIVE[name] ?? []);
  const where = live.length === 0 ? '' : `where ${live.join(' and ')}`;
  const rows = await target.query(
    `select row_to_json(it)::text as line
     from (select ${kept.map(ident).join(', ')} from ${table} ${where}) it`,
  );
  return rows.map(({ line }) => String(line)).sort();
}
