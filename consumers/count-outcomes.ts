import type { Counts, RootOutcome } from '../core/ports.ts';
import type { Mapped } from './map-roots.ts';
import type { Resolved } from './resolve.ts';

const OUTCOME: Readonly<Record<Mapped['outcome']['kind'], RootOutcome>> = {
  rows: 'applied',
  held: 'held',
  excluded: 'excluded',
  refused: 'quarantined',
  gone: 'removed',
};

/** How many of these roots came to which end. */
export function countOutcomes(roots: readonly Resolved[]): Counts<RootOutcome> {
  const counts: Partial<Record<RootOutcome, number>> = {};
  for (const { mapped, heldBy } of roots) {
    const outcome = heldBy.length > 0 ? 'held' : OUTCOME[mapped.kind];
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
