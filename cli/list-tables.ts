import type pg from 'pg';
import { statementError, textRows, type Side } from '../connectors/postgres/connection.ts';

export type FoundColumn = {
  readonly name: string;
  /** The base type's name where it is a domain. */
  readonly type: string;
  readonly isNullable: boolean;
  /** The role of the session may select it. */
  readonly isReadable: boolean;
};

/** A table of the source, and what decides whether it can be replicated. */
export type FoundTable = {
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`: r table, p partitioned, v view, m materialized view, f foreign table. */
  readonly kind: string;
  readonly isUnlogged: boolean;
  /** The primary key's columns, in its order; empty where there is none. */
  readonly key: readonly string[];
  readonly columns: readonly FoundColumn[];
  /** What the planner believes; -1 before the first analyze. */
  readonly estimatedRows: number;
  /** `pg_class.relreplident`: d primary key, f whole row, i index, n nothing. */
  readonly replicaIdentity: string;
  /** Columns of the index, for `i`. */
  readonly identityColumns: readonly string[];
  readonly owner: string;
  /** The role of the session owns it, or is a member of the role that does. */
  readonly isOwned: boolean;
  /** Row level security is on, and the role of the session is not exempt as its owner. */
  readonly hidesRows: boolean;
};

/** A domain over a domain is resolved too. */
const LIST = `
  with recursive base as (
    select t.oid as domain, t.typbasetype as type, t.typtypmod as typmod
    from pg_type t where t.typtype = 'd'
    union all
    select base.domain, t.typbasetype, t.typtypmod
    from base join pg_type t on t.oid = base.type and t.typtype = 'd'
  )
  select json_build_object(
    'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
    'isUnlogged', c.relpersistence <> 'p', 'estimatedRows', c.reltuples,
    'replicaIdentity', c.relreplident, 'owner', pg_get_userbyid(c.relowner),
    'isOwned', pg_has_role(c.relowner, 'usage'),
    'hidesRows', c.relrowsecurity
      and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage')),
    'key', coalesce((select json_agg(k.attname order by position)
      from pg_index i, unnest(i.indkey::int2[]) with ordinality as u (attnum, position),
        pg_attribute k
      where i.indrelid = c.oid and i.indisprimary and k.attrelid = c.oid and k.attnum = u.attnum
    ), '[]'),
    'identityColumns', coalesce((select json_agg(k.attname)
      from pg_index i, unnest(i.indkey::int2[]) as u (attnum), pg_attribute k
      where i.indrelid = c.oid and i.indisreplident and k.attrelid = c.oid and k.attnum = u.attnum
    ), '[]'),
    'columns', coalesce((select json_agg(json_build_object('name', a.attname,
        'type', format_type(coalesce(b.type, a.atttypid), coalesce(b.typmod, a.atttypmod)),
        'isNullable', not a.attnotnull,
        'isReadable', has_column_privilege(c.oid, a.attnum, 'select')) order by a.attnum)
      from pg_attribute a
      left join lateral (select base.type, base.typmod from base
        join pg_type t on t.oid = base.type and t.typtype <> 'd'
        where base.domain = a.atttypid limit 1) as b on true
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`;

/** The ordinary tables of a database, without those of extensions and of Tandem. */
const ORDINARY = `
    and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
    and n.nspname not in ('tandem', 'legacy')
    and not exists (select from pg_depend d
      where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
  order by n.nspname, c.relname`;

/** Those of the given qualified names that exist, whatever they are. */
const NAMED = `
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (n.nspname, c.relname) in (select * from unnest($1::text[], $2::text[]))
  order by n.nspname, c.relname`;

export type TableName = { readonly schema: string; readonly relation: string };

/** The tables of those names; all ordinary ones without names. */
export async function listTables(
  client: pg.ClientBase,
  names: readonly TableName[] | null = null,
  side: Side = 'source',
): Promise<readonly FoundTable[]> {
  try {
    const rows =
      names === null
        ? await textRows(client, LIST + ORDINARY)
        : await textRows(client, LIST + NAMED, [
            names.map(({ schema }) => schema),
            names.map(({ relation }) => relation),
          ]);
    return rows.map(([row]) => JSON.parse(row ?? '{}') as FoundTable);
  } catch (error) {
    throw statementError(side, error, 'list tables');
  }
}
