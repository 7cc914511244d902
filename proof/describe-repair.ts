import type { MirrorProof } from './mirror/verify-mirror.ts';
import type { EntityRepair } from './target/plan-repair.ts';

/** What was repaired, and what was not and why. `[subject, note]`, `limit` keys of a list at most. */
export function repairNotes(
  mirror: MirrorProof,
  repairs: readonly EntityRepair[],
  limit: number,
): readonly (readonly [string, string])[] {
  const ofTables = mirror.tables.flatMap(({ table, repair }) => {
    const { repaired, left } = repair ?? { repaired: [], left: [] };
    return [
      ...named('read again from the source', repaired.map(keyName), limit),
      ...left.slice(0, limit).map(({ key, why }) => `not repaired, ${keyName(key)}: ${why}`),
    ].map((note) => [table, note] as const);
  });
  const ofEntities = repairs.flatMap(({ entity, roots, left }) =>
    [
      ...named('derived again', roots, limit),
      ...left.slice(0, limit).map(({ what, why }) => `not repaired, ${what}: ${why}`),
    ].map((note) => [entity, note] as const),
  );
  return [...ofTables, ...ofEntities];
}

function named(what: string, keys: readonly string[], limit: number): string[] {
  if (keys.length === 0) return [];
  const more = keys.length > limit ? ', …' : '';
  return [`${what}: ${keys.length} (${keys.slice(0, limit).join(', ')}${more})`];
}

const keyName = (key: readonly string[]) =>
  key.length === 1 ? (key[0] ?? '') : `(${key.join(', ')})`;
