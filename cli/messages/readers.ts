import type { Mapping } from '../../core/entity.ts';
import { readUsages } from '../../core/usage.ts';

/** By legacy table: the entities that read it. */
export function entitiesByTable(mapping: Mapping): ReadonlyMap<string, readonly string[]> {
  const readers = new Map<string, string[]>();
  for (const entity of mapping.entities) {
    for (const table of readUsages({ ...mapping, entities: [entity] }).tables.keys()) {
      const known = readers.get(table);
      if (known === undefined) readers.set(table, [entity.name]);
      else known.push(entity.name);
    }
  }
  return readers;
}
