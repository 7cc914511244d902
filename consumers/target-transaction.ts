import type { ChangeEvent } from '../core/change-event.ts';
import type { Counts, RootOutcome } from '../core/ports.ts';
import type { Roots } from './affected.ts';
import { AffectedRoots } from './affected-store.ts';
import type { Seen } from './resolve.ts';

/** A transaction may be as large as the source's disk; what it keeps here may not. */
const MAX_SEEN = 50_000;

type ChangeCounts = Partial<Record<ChangeEvent['kind'], number>>;
type OutcomeCounts = Partial<Record<RootOutcome, number>>;

/** What one target transaction gathers until it commits. */
export class TargetTransaction {
  readonly affected: AffectedRoots;
  /** Roots of which some failed, to be derived when all others have been. */
  readonly putOff: AffectedRoots;
  readonly carefully: boolean;
  readonly locked = new Set<string>();
  /** Target rows that are there once this has committed: some of them, where they are very many. */
  readonly seen: Seen[] = [];
  /** Roots that the database refused because of another row, by entity. */
  refused = new Map<string, Roots>();
  readonly changes = new Map<string, ChangeCounts>();
  readonly outcomes = new Map<string, OutcomeCounts>();
  readonly phaseMs: Record<string, number> = {};
  events = 0;
  isFenced = false;

  constructor(maxRoots: number, carefully: boolean) {
    this.affected = new AffectedRoots(maxRoots, 'tandem_affected');
    this.putOff = new AffectedRoots(maxRoots, 'tandem_put_off');
    this.carefully = carefully;
  }

  /** Notes rows of the target. What is left out is asked for when it is needed. */
  see(rows: readonly Seen[]): void {
    if (this.seen.length + rows.length <= MAX_SEEN) this.seen.push(...rows);
  }

  /** Counts events that are about to be merged. */
  note(events: readonly ChangeEvent[]): void {
    this.events += events.length;
    let table: string | null = null;
    let counts: ChangeCounts = {};
    for (const event of events) {
      // Changes of one table mostly come together.
      if (event.table.name !== table) {
        table = event.table.name;
        counts = this.changes.get(table) ?? {};
        this.changes.set(table, counts);
      }
      counts[event.kind] = (counts[event.kind] ?? 0) + 1;
    }
  }

  /** Counts what became of an entity's roots. */
  derived(entity: string, added: Counts<RootOutcome>): void {
    const counts = this.outcomes.get(entity) ?? {};
    this.outcomes.set(entity, counts);
    for (const [outcome, count] of Object.entries(added) as [RootOutcome, number][]) {
      counts[outcome] = (counts[outcome] ?? 0) + count;
    }
  }

  /** The refused roots, to be tried again. */
  takeRefused(): { count: number; again: Map<string, Roots> } {
    const again = this.refused;
    this.refused = new Map();
    let count = 0;
    for (const roots of again.values()) count += roots.size;
    return { count, again };
  }

  async phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.phaseMs[name] = (this.phaseMs[name] ?? 0) + performance.now() - start;
    }
  }
}
