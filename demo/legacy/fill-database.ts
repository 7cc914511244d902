import type pg from 'pg';
import { generateLegacy, type GenerateOptions } from './generate.ts';
import { readComment, writeMark, type Mark } from './invented-mark.ts';
import { withClient } from './schema.ts';

/**
 * Fills an empty database; safe to repeat and to kill. What was filled is left as it is, and what was
 * half filled is begun again.
 *
 * Throws for a database that holds tables of somebody else.
 */
export async function fillDatabase(options: GenerateOptions): Promise<'filled' | 'there'> {
  const { connectionString } = options;
  const isThere = await withClient(connectionString, async (client) => {
    const comment = (await readComment(client)) as Mark | null;
    if (comment === 'an invented legacy system') return true;
    if (comment === 'an invented legacy system, half filled') {
      await client.query('drop schema public cascade; create schema public');
    }
    await requireEmpty(client);
    await writeMark(client, 'an invented legacy system, half filled');
    return false;
  });
  if (isThere) return 'there';
  await generateLegacy(options);
  await withClient(connectionString, (client) => writeMark(client, 'an invented legacy system'));
  return 'filled';
}

async function requireEmpty(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    `select count(*)::int as tables from pg_class
     where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace`,
  );
  const [row] = rows as readonly { tables: number }[];
  if ((row?.tables ?? 0) === 0) return;
  throw new Error('This database is not empty, and was not filled from here: give an empty one.');
}
