import pg from 'pg';
import { withClient } from './schema.ts';

/** What a database says of itself, in its comment: so no real one is filled, emptied or worked on. */
export type Mark = 'an invented legacy system' | 'an invented legacy system, half filled';

/** The comment of the database; null where there is none. */
export async function readComment(client: pg.Client): Promise<string | null> {
  const { rows } = await client.query(
    `select shobj_description(oid, 'pg_database') as comment
     from pg_database where datname = current_database()`,
  );
  const [row] = rows as readonly { comment: string | null }[];
  return row?.comment ?? null;
}

export async function writeMark(client: pg.Client, mark: Mark): Promise<void> {
  const { rows } = await client.query('select current_database() as name');
  const [row] = rows as readonly { name: string }[];
  await client.query(
    `comment on database ${pg.escapeIdentifier(row?.name ?? '')} is ${pg.escapeLiteral(mark)}`,
  );
}

/** Throws unless `fill` has filled the database. */
export async function requireInvented(connectionString: string): Promise<void> {
  const comment = await withClient(connectionString, readComment);
  if (comment === ('an invented legacy system' satisfies Mark)) return;
  throw new Error('This database holds no invented legacy system: fill an empty one first.');
}
