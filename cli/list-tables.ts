import type pg from 'pg';
import { readCatalog, type CatalogTable, type TableName } from '../connectors/postgres/catalog.ts';
import { statementError, textRows } from '../connectors/postgres/connection.ts';

/** Without partitions, and without the tables of extensions and of Tandem. */
const ORDINARY = `
  select n.nspname, c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
    and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    and n.nspname not in ('tandem', 'legacy')
    and not exists (select from pg_depend d
      where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
  order by n.nspname, c.relname`;

/** The ordinary tables of the source, by name. */
export async function listTables(client: pg.ClientBase): Promise<readonly CatalogTable[]> {
  try {
    const rows = await textRows(client, ORDINARY);
    const names = rows.map(([schema, relation]) => ({
      schema: schema ?? '',
      relation: relation ?? '',
    }));
    const catalog = await readCatalog(client, 'source', names);
    return names.flatMap((name) => catalog.get(`${name.schema}.${name.relation}`) ?? []);
  } catch (error) {
    throw statementError('source', error, 'list tables');
  }
}

/** What the role of the session may do with a table. */
export type TableAccess = TableName & {
  readonly owner: string;
  /** The role owns it, or is a member of the role that does. */
  readonly isOwned: boolean;
  readonly readable: ReadonlySet<string>;
  /** Of select, insert, update and delete, on the table as a whole. */
  readonly privileges: ReadonlySet<string>;
};

const ACCESS = `
  select n.nspname, c.relname, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'usage'),
    coalesce((select json_agg(a.attname) from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and has_schema_privilege(n.oid, 'usage')
        and has_column_privilege(c.oid, a.attnum, 'select')), '[]'),
    (select coalesce(json_agg(p), '[]') from unnest(array['select', 'insert', 'update', 'delete']) as p
      where has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, p))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where (n.nspname, c.relname) in (select * from unnest($1::text[], $2::text[]))`;

/** By `schema.relation`. */
export async function readAccess(
  client: pg.ClientBase,
  names: readonly TableName[],
): Promise<ReadonlyMap<string, TableAccess>> {
  const rows = await textRows(client, ACCESS, [
    names.map(({ schema }) => schema),
    names.map(({ relation }) => relation),
  ]);
  return new Map(
    rows.map(([schema, relation, owner, isOwned, readable, privileges]) => [
      `${schema}.${relation}`,
      {
        schema: schema ?? '',
        relation: relation ?? '',
        owner: owner ?? '',
        isOwned: isOwned === 't',
        readable: new Set(JSON.parse(readable ?? '[]') as string[]),
        privileges: new Set(JSON.parse(privileges ?? '[]') as string[]),
      },
    ]),
  );
}
