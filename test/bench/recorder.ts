import type { BatchReport, Facts, Observer } from '../../core/ports.ts';
import type { Told } from './worker-task.ts';

const MOST_TOLD = 1000;

/** Keeps what the engine tells. */
export class Recorder implements Observer {
  readonly told: Told[] = [];
  readonly phaseMs: Record<string, number> = {};
  events = 0;
  batches = 0;
  /** When the newest batch with changes was committed, by `performance.now()`. */
  lastCommitAt: number | null = null;
  #waiting: { readonly events: number; readonly then: () => void } | null = null;

  /** Calls `then` once so many changes are committed. */
  atEvents(events: number, then: () => void): void {
    this.#waiting = { events, then };
  }

  event(name: string, facts: Facts = {}): void {
    // What it keeps is not to look like the engine's own memory.
    if (this.told.length >= MOST_TOLD) return;
    const plain = Object.entries(facts).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? value.toString() : value,
    ]);
    this.told.push({
      atMs: performance.now(),
      name,
      facts: Object.fromEntries(plain) as Told['facts'],
    });
  }

  progress(): void {
    // The events say enough.
  }

  batch(report: BatchReport): void {
    // A batch may carry a position or a heartbeat alone.
    if (report.events === 0) return;
    this.lastCommitAt = performance.now();
    this.events += report.events;
    this.batches++;
    for (const [phase, ms] of Object.entries(report.phaseMs)) {
      this.phaseMs[phase] = (this.phaseMs[phase] ?? 0) + ms;
    }
    if (this.#waiting !== null && this.events >= this.#waiting.events) this.#waiting.then();
  }
}
