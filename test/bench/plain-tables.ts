import { ident } from '../../connectors/postgres/sql.ts';
import type { Bench } from './bench.ts';
import { execute, rowsOf } from './database.ts';
import { EMPTY } from './world.ts';

/** A table as it is, without versions; `columns` are quoted, with commas. */
export type PlainTable = { readonly name: string; readonly columns: string };
export type PlainTables = { readonly url: string; readonly tables: readonly PlainTable[] };

/** A database with the mirror's tables, keys and indexes as plain tables, for others to fill. */
export async function plainTables({ world }: Bench, database: string): Promise<PlainTables> {
  const url = await world.clone(database, EMPTY);
  const rows = await rowsOf(
    url,
    `select c.relname, string_agg(quote_ident(attname), ', ' order by attnum)
     from pg_class c join pg_attribute a on attrelid = c.oid
     where relnamespace = 'legacy'::regnamespace and relkind = 'r' and attnum > 0
       and not attisdropped and attname not in ('_commit_lsn', '_change_lsn', '_deleted')
     group by 1 order by 1`,
  );
  const tables = rows.map(([name, columns]) => ({ name: name ?? '', columns: columns ?? '' }));
  const make = tables.map(({ name }) => {
    const table = `public.${ident(name)}`;
    return `create table ${table} (like legacy.${ident(name)} including indexes);
      alter table ${table} drop column _commit_lsn, drop column _change_lsn, drop column _deleted`;
  });
  // A sink looks for its tables in every schema.
  await execute(url, `${make.join(';\n')}; drop schema legacy cascade`);
  return { url, tables };
}

/** Rows of all of them. */
export async function countPlain({ url, tables }: PlainTables): Promise<number> {
  const counts = tables.map(({ name }) => `(select count(*) from public.${ident(name)})`);
  const [row] = await rowsOf(url, `select ${counts.join(' + ')}`);
  return Number(row?.[0]);
}
