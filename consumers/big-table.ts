import type { DerivedEntity } from '../core/entity.ts';
import type { TableChanges } from './collapse.ts';
import type { Model } from './model.ts';

/** Events of a slice: enough for one statement to be worth its round trip. */
const SLICE = 1_000;

/** The table that is worth slicing; null where the batch is small, or mixed, or journaled. */
export function bigTable(tables: ReadonlyMap<string, TableChanges>): TableChanges | null {
  const [big] = [...tables.values()].sort((a, b) => b.finals.size - a.finals.size);
  if (big === undefined || big.finals.size < 2 * SLICE || big.steps.length > 0) return null;
  return big;
}

/** Neighbouring keys together: they are on the same pages of heap and indexes. */
export function* slicesOf(changes: TableChanges): Generator<TableChanges> {
  const sorted = [...changes.finals].sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  for (let i = 0; i < sorted.length; i += SLICE) {
    yield { ...changes, finals: new Map(sorted.slice(i, i + SLICE)) };
  }
}

/** So many slices are under way side by side: the server works on one while another is mapped. */
export const AT_ONCE = 4;

/**
 * Whether roots of these entities may have to do with each other's rows: then side by side the one
 * could note that its parent is missing just after the other has brought it and asked who waits.
 */
export function meetThemselves(model: Model, entities: readonly DerivedEntity[]): boolean {
  const tables = new Set(entities.flatMap((entity) => entity.targets));
  return entities.some(
    (entity) =>
      entity.fanOut ||
      entity.targets.some((name) =>
        [...(model.targets.get(name)?.columns.values() ?? [])].some(
          ({ name, references }) => name !== 'id' && references !== null && tables.has(references),
        ),
      ),
  );
}
