import type { BatchReport, Facts } from '../core/ports.ts';

/** Without changes a line a minute is enough of a sign of life. */
const QUIET_MS = 60_000;

/** Adds up committed batches: one line every few seconds, where a line for each would be a flood. */
export class BatchSummary {
  readonly #everyMs: number;
  #since: number | null = null;
  #batches = 0;
  #changes = 0;
  #heartbeatLagMs: number | null = null;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** What happened since the last summary, where one is due; `nowMs` may be any steady clock. */
  add(report: BatchReport, nowMs: number): Facts | null {
    this.#batches++;
    this.#changes += report.events;
    this.#heartbeatLagMs = report.heartbeatLagMs ?? this.#heartbeatLagMs;
    this.#since ??= nowMs;
    const ms = nowMs - this.#since;
    if (ms < (this.#changes > 0 ? this.#everyMs : Math.max(this.#everyMs, QUIET_MS))) return null;
    const facts = {
      changes: this.#changes,
      changesPerSecond: Math.round((this.#changes * 1000) / ms),
      batches: this.#batches,
      lagMs: this.#heartbeatLagMs === null ? null : Math.round(this.#heartbeatLagMs),
      position: report.position,
    };
    this.#since = nowMs;
    this.#batches = 0;
    this.#changes = 0;
    return facts;
  }
}
