import type { ChangeEvent } from '../core/change-event.ts';
import type { Roots } from './affected.ts';
import { AffectedRoots } from './affected-store.ts';

/** What one target transaction gathers until it commits. */
export class TargetTransaction {
  readonly affected: AffectedRoots;
  readonly carefully: boolean;
  readonly locked = new Set<string>();
  readonly committed: (() => void)[] = [];
  /** Roots that the database refused because of another row, by entity. */
  refused = new Map<string, Roots>();
  readonly roots = new Map<string, number>();
  readonly phaseMs: Record<string, number> = {};
  events = 0;
  isFenced = false;

  constructor(maxRoots: number, carefully: boolean) {
    this.affected = new AffectedRoots(maxRoots);
    this.carefully = carefully;
  }

  /** Counts events that are about to be merged. */
  note(events: readonly ChangeEvent[]): void {
    this.events += events.length;
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
