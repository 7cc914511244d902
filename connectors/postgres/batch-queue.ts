import type { ChangeEvent } from '../../core/change-event.ts';
import type { Batch, Heartbeat, Position } from '../../core/ports.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';

/** What has arrived between two pulls, in the order of the source. */
type Item = {
  events: ChangeEvent[];
  bytes: number;
  /** Behind its commit record; or further, where nothing was pending when the source said so. */
  end: Lsn;
  heartbeat: Heartbeat | null;
  committedAtMs: number | null;
};
type BatchLimits = { readonly maxBytes: number; readonly maxEvents: number };

/**
 * Packs transactions into batches: whole ones, as many as fit; a piece only of one that does not fit
 * alone, and no other transaction beside a piece.
 */
export class BatchQueue {
  /** What is waiting, the unfinished transaction included. */
  bytes = 0;
  #items: Item[] = [];
  #open: { events: ChangeEvent[]; bytes: number } | null = null;
  /** Part of the first item (or of the open transaction) has been given out already. */
  #isInPieces = false;
  /** Everything before it has been given out. */
  #position: Lsn;
  /** As far as the source has got while there was nothing to send. */
  #idle: Lsn;

  constructor(position: Lsn) {
    this.#position = position;
    this.#idle = position;
  }

  begin(): void {
    this.#open = { events: [], bytes: 0 };
  }

  add(event: ChangeEvent, bytes: number): void {
    if (this.#open === null) return;
    this.#open.events.push(event);
    this.#open.bytes += bytes;
    this.bytes += bytes;
  }

  commit(end: Lsn, committedAtMs: number): void {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    if (open.events.length === 0 && !this.#isInPieces) return this.advance(end);
    this.#items.push({ ...open, end, heartbeat: null, committedAtMs });
  }

  /** Everything that committed before `end` has arrived. Not known inside a transaction. */
  advance(end: Lsn): void {
    if (this.#open !== null) return;
    const last = this.#items.at(-1);
    if (last !== undefined) last.end = larger(last.end, end);
    else this.#idle = larger(this.#idle, end);
  }

  heartbeat(end: Lsn, heartbeat: Heartbeat): void {
    if (this.#open !== null) return;
    const last = this.#items.at(-1);
    if (last === undefined) {
      this.#items.push({ events: [], bytes: 0, end, heartbeat, committedAtMs: null });
    } else {
      last.end = larger(last.end, end);
      last.heartbeat = heartbeat;
    }
  }

  /** The next batch, or null where there is none to give yet. */
  take(limits: BatchLimits): Batch | null {
    if (this.#items.length > 0) return this.#takeWhole(limits);
    const open = this.#open;
    if (open === null || open.bytes < limits.maxBytes) return null;
    return this.#takePiece(open);
  }

  /** Whether the source has moved on past what was given out, without a change for us. */
  get hasIdled(): boolean {
    return this.#idle > this.#position && this.#items.length === 0 && this.#open === null;
  }

  /** A batch without events, for its position. */
  takeIdle(): Batch {
    return this.#toBatch({
      events: [],
      bytes: 0,
      end: this.#idle,
      heartbeat: null,
      committedAtMs: null,
    });
  }

  #takeWhole({ maxBytes, maxEvents }: BatchLimits): Batch {
    const [first, ...others] = this.#items;
    if (first === undefined) return this.takeIdle();
    let used = 1;
    if (!this.#isInPieces) {
      for (const next of others) {
        const isFull =
          first.bytes + next.bytes > maxBytes ||
          first.events.length + next.events.length > maxEvents;
        if (isFull && next.events.length > 0) break;
        for (const event of next.events) first.events.push(event);
        first.bytes += next.bytes;
        first.end = next.end;
        first.heartbeat = next.heartbeat ?? first.heartbeat;
        first.committedAtMs = later(first.committedAtMs, next.committedAtMs);
        used++;
      }
    }
    this.#isInPieces = false;
    this.#items.splice(0, used);
    return this.#toBatch(first);
  }

  #takePiece(open: { events: ChangeEvent[]; bytes: number }): Batch {
    const { events, bytes } = open;
    this.#open = { events: [], bytes: 0 };
    this.#isInPieces = true;
    this.bytes -= bytes;
    return {
      events,
      bytes,
      position: formatLsn(this.#position) as Position,
      complete: false,
      heartbeat: null,
      committedAtMs: null,
    };
  }

  #toBatch({ events, bytes, end, heartbeat, committedAtMs }: Item): Batch {
    this.bytes -= bytes;
    this.#position = larger(this.#position, end);
    this.#idle = larger(this.#idle, end);
    const position = formatLsn(this.#position) as Position;
    return { events, bytes, position, complete: true, heartbeat, committedAtMs };
  }
}

function larger(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}

/** Commits need not be in the order of their times. */
const later = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);
