import { ident, literal, qualified } from '../connectors/postgres/sql.ts';
import type { MirrorTable } from '../core/mirror-table.ts';

/** The twin's quoted name. */
export const mirrorName = (table: MirrorTable): string => qualified('legacy', table.name);

/**
 * The mirror's tables and the indexes that relations look rows up by. Only the key is not null: a
 * tombstone keeps nothing else. Every statement may be repeated; a column that a mapping added
 * later is added here (its values come from a re-read of the table).
 */
export function mirrorSchemaSql(
  tables: readonly MirrorTable[],
  lookups: ReadonlyMap<string, readonly (readonly string[])[]>,
): readonly string[] {
  return tables.flatMap((table) => [
    createTable(table),
    ...table.columns
      .slice(table.keyLength)
      .map(
        (column) =>
          `alter table ${mirrorName(table)} add column if not exists ${ident(column.name)} ${column.type}`,
      ),
    ...(lookups.get(table.name) ?? []).map((columns) => createIndex(table, columns)),
    recordMirror(table),
  ]);
}

function createTable(table: MirrorTable): string {
  const columns = table.columns.map(
    (column) => `${ident(column.name)} ${column.type}${column.inKey ? ' not null' : ''}`,
  );
  const key = table.columns.slice(0, table.keyLength).map((column) => ident(column.name));
  return `create table if not exists ${mirrorName(table)} (
    ${columns.join(',\n    ')},
    _commit_lsn pg_lsn not null,
    _change_lsn pg_lsn not null default '0/0',
    _deleted boolean not null default false,
    primary key (${key.join(', ')})
  )`;
}

function createIndex(table: MirrorTable, columns: readonly string[]): string {
  const name = `${table.name}__${columns.join('_')}`.slice(0, 63);
  return `create index if not exists ${ident(name)} on ${mirrorName(table)} (${columns.map(ident).join(', ')})`;
}

/** A table that is read with other columns than before has to be read, and all derived, again. */
function recordMirror(table: MirrorTable): string {
  const columns = JSON.stringify(table.columns.map(({ name, sourceType }) => [name, sourceType]));
  const json = `${literal(columns)}::jsonb`;
  return `with changed as (
      update tandem.mirror set columns = ${json}, loaded_at = null
      where table_name = ${literal(table.name)} and columns <> ${json} returning table_name
    ), forgotten as (
      delete from tandem.chunk where subject in (select table_name from changed)
    ), again as (
      update tandem.entity set derived_at = null where exists (select from changed)
    )
    insert into tandem.mirror (table_name, columns) values (${literal(table.name)}, ${json})
    on conflict do nothing`;
}
