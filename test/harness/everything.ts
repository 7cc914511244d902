import { createHash } from 'node:crypto';
import type { TestDatabase } from './database.ts';

/**
 * One sum over a database but for a schema: rows with the versions that a lock or an update leaves
 * behind, sequences, and which tables, indexes and views there are.
 *
 * @param only of these schemas; default: all
 */
export async function everythingBut(
  database: TestDatabase,
  schema: string,
  only: readonly string[] | null = null,
): Promise<string> {
  const hash = createHash('sha256');
  const relations = await database.query(
    `select format('%I.%I', n.nspname, c.relname) as name, c.relkind as kind from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where n.nspname <> $1 and n.nspname !~ '^(pg_|information_schema)' 
       and ($2::text[] is null or n.nspname = any($2)) order by 1`,
    [schema, only],
  );
  for (const { name, kind } of relations) {
    hash.update(`${String(kind)} ${String(name)}\n`);
    if (kind !== 'r' && kind !== 'S') continue;
    const row = kind === 'r' ? '(t.ctid, t.xmin, t.xmax, t)' : '(last_value, is_called)';
    const rows = await database.query(
      `select ${row}::text as row from ${String(name)} as t order by 1`,
    );
    for (const one of rows) hash.update(`${String(one['row'])}\n`);
  }
  return hash.digest('hex');
}
