import type pg from 'pg';
import { textRows, type Database } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { Snapshot } from '../snapshot.ts';
import { ForeseeEntity, type LookOptions } from './foresee-entity.ts';
import type { ForeseenChanges } from './foreseen.ts';

/** Roots of an entity; `keys` null: all. */
export type WantedRoots = { readonly entity: string; readonly keys: readonly string[] | null };

export type ForeseeOptions = LookOptions & {
  readonly target: Database;
  readonly wanted: readonly WantedRoots[];
};

/**
 * What deriving roots again would change, with the mapping of this process: the proof of the target,
 * whose findings are here no faults but what is still to come. It reads one snapshot of the target,
 * writes nothing and takes no locks.
 *
 * Entities are looked at one by one: what a row of one would do for those that wait for it is not
 * among the changes.
 */
export async function foreseeChanges(options: ForeseeOptions): Promise<ForeseenChanges[]> {
  await using snapshot = await Snapshot.take(options.target);
  const client = await snapshot.session();
  const enter = (session: pg.ClientBase) => snapshot.enter(session);
  const found: ForeseenChanges[] = [];
  try {
    for (const { entity: name, keys } of options.wanted) {
      const entity = options.model.entity.get(name);
      if (entity === undefined) continue;
      const one = new ForeseeEntity(options, entity, { client, enter });
      await one.look(keys);
      if (keys === null) await one.findStrays();
      const unforeseeable = await countRefused(client, { entity: name, keys }, REFUSED);
      found.push({ ...one.found, unforeseeable });
    }
  } finally {
    await client.end();
  }
  return found;
}

const REFUSED = ['TARGET_REFUSED_ROW', 'TARGET_REFUSED_REMOVAL'];

/** Roots that the target refused in one of these ways. */
export async function countRefused(
  client: pg.ClientBase,
  { entity, keys }: WantedRoots,
  codes: readonly string[],
): Promise<number> {
  const [row] = await textRows(
    client,
    `select count(*) from tandem.quarantine where entity = $1
       and error_class = any($3::text[]) and ($2::text[] is null or root_key = any($2))`,
    [entity, keys === null ? null : arrayLiteral(keys), arrayLiteral(codes)],
  );
  return Number(row?.[0] ?? 0);
}
