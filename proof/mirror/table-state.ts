import type { MirrorMismatch, Settled } from './settle.ts';

/** What a pass knows of a table so far: JSON, so that a later process can go on with it. */
export type TableState = {
  /** Rows that the source showed. */
  rows: number;
  ranges: number;
  /** Ranges that the sample left out. */
  skippedRanges: number;
  /** Sum of the hashes of the source's rows. */
  checksum: string;
  mismatches: MirrorMismatch[];
  /** More were found than are listed; the rest of the table was not looked at. */
  isCutOff: boolean;
  /** Keys that could not be settled, the first of them, and how many there are. */
  unsettled: (readonly string[])[];
  unsettledCount: number;
  /** Ranges that differ and could not be looked into. */
  openRanges: number;
  /** Why something was left open; null: nothing was. */
  reason: string | null;
  /** The upper key of the last range. */
  lower: readonly string[] | null;
  isFinished: boolean;
};

export const MAX_MISMATCHES = 1_000;
const MAX_UNSETTLED = 1_000;

export function emptyState(): TableState {
  return {
    ...{ rows: 0, ranges: 0, skippedRanges: 0, checksum: '0' },
    ...{ mismatches: [], isCutOff: false },
    ...{ unsettled: [], unsettledCount: 0, openRanges: 0, reason: null },
    ...{ lower: null, isFinished: false },
  };
}

export function addMismatches(state: TableState, found: readonly MirrorMismatch[]): void {
  const room = MAX_MISMATCHES - state.mismatches.length;
  state.mismatches.push(...found.slice(0, room));
  if (found.length >= room) state.isCutOff = true;
}

/** Adds what was settled; a key that is a mismatch for another reason already is not left open. */
export function addSettled(state: TableState, { mismatches, unsettled, reason }: Settled): void {
  addMismatches(state, mismatches);
  const known = new Set(state.mismatches.map(({ key }) => JSON.stringify(key)));
  const open = unsettled.filter((key) => !known.has(JSON.stringify(key)));
  if (open.length === 0) return;
  state.unsettledCount += open.length;
  state.unsettled.push(...open.slice(0, MAX_UNSETTLED - state.unsettled.length));
  state.reason = reason;
}
