import type pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { BarrierRead, Clock, SourceReader } from '../../core/ports.ts';
import { compareRows } from './compare-rows.ts';
import { judge, type MismatchKind } from './judge.ts';
import type { Pace } from './pace.ts';
import type { StreamWatch } from './stream-watch.ts';

/** A row of the mirror that is not what the source has. Names only, never values. */
export type MirrorMismatch = {
  readonly key: readonly string[];
  readonly kind: MismatchKind;
  /** Where both have a row: the columns that differ. */
  readonly columns: readonly string[];
};

export type Settled = {
  readonly mismatches: readonly MirrorMismatch[];
  readonly unsettled: readonly (readonly string[])[];
  /** Why they are. */
  readonly reason: string;
};

export type SettleContext = {
  readonly reader: SourceReader;
  readonly target: pg.ClientBase;
  readonly watch: StreamWatch;
  readonly pace: Pace;
  /** How often a key that changes again and again is looked at. */
  readonly rounds: number;
  /** Keys are named also where the stream does not get there: they may only be late. */
  readonly namesLate: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

type Open = { readonly key: readonly string[]; readonly trace: string | null };

/** Keys that are settled at a time: so many rows of the source are in memory. */
export const SETTLED_AT_ONCE = 500;
const MAX_PAUSE_MS = 1_000;
const CHANGING = 'it changed on the source in every round';

/**
 * Says of each key whether the mirror has what the source has, while both go on changing.
 *
 * A round: the rows on the source at a barrier; then where its log ends; then, when the stream has
 * passed that, the rows of the mirror with their versions. See `judge` for what follows. A fault is
 * believed when the next round finds the same under the same version: a row that the stream has read
 * again from the source meanwhile may be newer than its version says, but not than a snapshot that
 * is taken afterwards.
 */
export async function settle(
  context: SettleContext,
  table: MirrorTable,
  keys: readonly (readonly string[])[],
): Promise<Settled> {
  const { reader, target, watch, pace, clock, signal } = context;
  const mismatches: MirrorMismatch[] = [];
  let reason = CHANGING;
  let open: readonly Open[] = keys.map((key) => ({ key, trace: null }));
  for (let round = 1, pauseMs = 20; open.length > 0 && round <= context.rounds; round++) {
    signal.throwIfAborted();
    const wanted = open.map(({ key }) => key);
    const read = await pace.work('source', () => readOrNull(reader, table, wanted));
    if (read === null) {
      reason = 'a transaction of the source did not end';
      break;
    }
    if (!(await watch.waitFor(await watch.sourceEnd()))) {
      reason = watch.stalled ?? reason;
      break;
    }
    const { lsn, rows } = read;
    const compared = await pace.work('target', () => compareRows(target, table, wanted, rows));
    const again: Open[] = [];
    for (const [i, { key, trace }] of open.entries()) {
      const found = compared[i];
      if (found === undefined) continue;
      const verdict = judge({ ...found, barrier: lsn });
      if (verdict.kind === 'changing') again.push({ key, trace: null });
      if (verdict.kind !== 'wrong') continue;
      if (verdict.trace === trace) {
        mismatches.push({ key, kind: verdict.what, columns: found.differing });
      } else {
        again.push({ key, trace: verdict.trace });
      }
    }
    open = again;
    // One that only has to be confirmed need not wait.
    if (open.some(({ trace }) => trace === null)) {
      await clock.sleep(pauseMs, signal);
      pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
    }
  }
  return { mismatches, unsettled: open.map(({ key }) => key), reason };
}

/** Null where no barrier came about. */
export async function readOrNull(
  reader: SourceReader,
  table: MirrorTable,
  keys: readonly (readonly string[])[],
): Promise<BarrierRead | null> {
  try {
    return await reader.readByKey(table, keys);
  } catch (error) {
    if (error instanceof TandemError && error.code === 'TIMED_OUT') return null;
    throw error;
  }
}
