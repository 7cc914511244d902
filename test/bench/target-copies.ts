import { join } from 'node:path';
import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { ident, literal } from '../../connectors/postgres/sql.ts';
import { targetName } from '../../consumers/write-rows.ts';
import mapping from '../../transforms/mapping.ts';

/** The tables that the mapping derives, parents before children. */
export const TARGET_TABLES: readonly string[] = [
  ...new Set(
    mapping.entities.flatMap((entity) => (entity.kind === 'derived' ? entity.targets : [])),
  ),
];

const fileOf = (folder: string, table: string) => join(folder, `${table}.copy`);

/** Writes the rows of every target table into files of the server. */
export async function exportTargets(client: pg.Client, folder: string): Promise<void> {
  for (const table of TARGET_TABLES) {
    await client.query(`copy ${targetName(table)} to ${literal(fileOf(folder, table))}`);
  }
}

/** Empties the target tables: what migrations put there is among the exported rows. */
export async function emptyTargets(client: pg.Client): Promise<void> {
  await client.query(`truncate ${TARGET_TABLES.map(targetName).join(', ')} cascade`);
}

/** Seconds of the server's own COPY of these tables, in one transaction. */
export async function importTargets(
  client: pg.Client,
  folder: string,
  tables: readonly string[],
): Promise<number> {
  const start = performance.now();
  await client.query('begin');
  for (const table of tables) {
    await client.query(`copy ${targetName(table)} from ${literal(fileOf(folder, table))}`);
  }
  await client.query('commit');
  return (performance.now() - start) / 1000;
}

export async function countTargets(client: pg.Client, tables: readonly string[]): Promise<number> {
  const counts = tables.map((table) => `(select count(*) from ${targetName(table)})`);
  const [row] = await textRows(client, `select ${counts.join(' + ')}`);
  return Number(row?.[0] ?? 0);
}

/** Drops foreign keys: all, or those that point at one table. */
export async function dropForeignKeys(client: pg.Client, to: string | null): Promise<void> {
  const rows = await textRows(
    client,
    `select conrelid::regclass::text, conname from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace
       and ($1::text is null or confrelid = $1::text::regclass)`,
    [to === null ? null : targetName(to)],
  );
  for (const [table, name] of rows) {
    await client.query(`alter table ${table} drop constraint ${ident(name ?? '')}`);
  }
}
