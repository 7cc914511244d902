import type pg from 'pg';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { Model } from './model.ts';

/**
 * Advisory transaction locks in name order: exclusively the entities that are derived, shared those
 * that they refer to. So a parent that arrives and a child that records it as unresolved cannot
 * miss each other, and whoever derives later sees what the earlier one committed.
 */
export async function lockEntities(
  client: pg.ClientBase,
  model: Model,
  entities: Iterable<string>,
): Promise<void> {
  const exclusive = new Set(entities);
  const all = new Set(exclusive);
  for (const entity of exclusive)
    for (const name of model.refersTo.get(entity) ?? []) all.add(name);
  const names = [...all].sort();
  if (names.length === 0) return;
  await lock(client, names, (name) => exclusive.has(name));
}

/** One entity alone: whoever holds it knows that nobody derives its roots meanwhile. */
export async function lockEntity(client: pg.ClientBase, name: string): Promise<void> {
  await lock(client, [name], () => true);
}

/** One writer of a mirror table at a time: its merge reads the old rows in the same statement. */
export async function lockTables(client: pg.ClientBase, tables: Iterable<string>): Promise<void> {
  const names = [...tables].map((table) => `table ${table}`).sort();
  if (names.length > 0) await lock(client, names, () => true);
}

async function lock(
  client: pg.ClientBase,
  names: readonly string[],
  isExclusive: (name: string) => boolean,
): Promise<void> {
  await preparedRows(client, 'select tandem.lock($1::text[], $2::boolean[])', [
    arrayLiteral(names),
    arrayLiteral(names.map((name) => (isExclusive(name) ? 't' : 'f'))),
  ]);
}
