import { ident, literal, qualified } from '../connectors/postgres/sql.ts';
import type { MirrorColumn, MirrorTable } from '../core/mirror-table.ts';
import type { WantedTable } from '../core/usage.ts';

/** The quoted name of the twin, or of what stands in for it. */
export const mirrorName = (table: Pick<MirrorTable, 'name' | 'standIn'>): string =>
  table.standIn ?? qualified('legacy', table.name);

/** Only the key is not null: a tombstone keeps nothing else. */
export function createTable(table: MirrorTable): string {
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

/** The indexes that relations look rows up by, by name. */
export function indexSql(
  table: MirrorTable,
  lookups: WantedTable['lookups'],
): readonly { readonly name: string; readonly sql: string }[] {
  return lookups.map((columns) => {
    const name = `${table.name}__${columns.join('_')}`.slice(0, 63);
    const list = columns.map(ident).join(', ');
    return {
      name,
      sql: `create index if not exists ${ident(name)} on ${mirrorName(table)} (${list})`,
    };
  });
}

/** Takes a wider type over; the server rewrites the table where their forms differ. */
export function widenColumn(table: MirrorTable, { name, type }: MirrorColumn): string {
  return `alter table ${mirrorName(table)} alter column ${ident(name)} type ${type}`;
}

/** Makes a column empty, and with this type; what it held is not the source's any more. */
export function remakeColumn(
  table: MirrorTable,
  { name, type }: MirrorColumn,
  isThere: boolean,
): string {
  const drop = isThere ? `drop column ${ident(name)}, ` : '';
  return `alter table ${mirrorName(table)} ${drop}add column ${ident(name)} ${type}`;
}

/** The columns that are kept up, and the source's types, as `tandem.mirror` records them. */
export function keptColumns(table: MirrorTable): string {
  const columns = JSON.stringify(table.columns.map(({ name, sourceType }) => [name, sourceType]));
  return `${literal(columns)}::jsonb`;
}
