import type { Mending } from '../../consumers/mend.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { BarrierRead } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';
import { compareRows, type Compared } from './compare-rows.ts';
import { readOrNull, settle, SETTLED_AT_ONCE, type SettleContext } from './settle.ts';
import type { TableState } from './table-state.ts';

type Key = readonly string[];
type LeftKey = { readonly key: Key; readonly why: string };

/** What was done about the rows of a table that differ. */
export type TableRepair = { readonly repaired: readonly Key[]; readonly left: readonly LeftKey[] };

export type Mender = {
  /** Puts rows in; why not, or null. */
  readonly mend: (mending: Mending) => Promise<string | null>;
  /** Nobody streams: what is on its way comes later, and finds the newer row. */
  readonly isAlone: () => Promise<boolean>;
};

export const NO_REPAIR: TableRepair = { repaired: [], left: [] };

/**
 * Reads the rows that differ again from the source, at a barrier, and puts them into the mirror with
 * its version: never anything that the source did not show. Then looks again whether they agree.
 *
 * Where the stream stands still and nobody has it, rows that may only be late are read again as
 * well: what comes later is older than the barrier and passes by.
 */
export async function repairTable(
  context: SettleContext,
  mender: Mender,
  table: MirrorTable,
  state: TableState,
): Promise<TableRepair> {
  const mayBeLate = context.watch.stalled !== null && (await mender.isAlone());
  const wrong = state.mismatches.map(({ key }) => key);
  const ahead = new Set(
    state.mismatches.filter(({ kind }) => kind === 'ahead').map(({ key }) => JSON.stringify(key)),
  );
  const known = new Set(wrong.map((key) => JSON.stringify(key)));
  const late = mayBeLate ? state.unsettled.filter((key) => !known.has(JSON.stringify(key))) : [];
  // A key may be both ahead and different.
  const keys = [...new Map([...wrong, ...late].map((key) => [JSON.stringify(key), key])).values()];
  const repaired: Key[] = [];
  const left: LeftKey[] = [];
  for (let i = 0; i < keys.length; i += SETTLED_AT_ONCE) {
    context.signal.throwIfAborted();
    const portion = keys.slice(i, i + SETTLED_AT_ONCE);
    const isAhead = (key: Key) => ahead.has(JSON.stringify(key));
    left.push(...(await repairKeys(context, mender, { table, keys: portion, isAhead })));
    const leftKeys = new Set(left.map(({ key }) => JSON.stringify(key)));
    repaired.push(...portion.filter((key) => !leftKeys.has(JSON.stringify(key))));
  }
  const isLeft = new Set(left.map(({ key }) => JSON.stringify(key)));
  state.mismatches = state.mismatches.filter(({ key }) => isLeft.has(JSON.stringify(key)));
  if (mayBeLate) {
    state.unsettledCount -= late.filter((key) => !isLeft.has(JSON.stringify(key))).length;
    state.unsettled = state.unsettled.filter((key) => isLeft.has(JSON.stringify(key)));
    if (state.unsettledCount === 0) state.reason = null;
  }
  return { repaired, left };
}

type Portion = {
  readonly table: MirrorTable;
  readonly keys: readonly Key[];
  readonly isAhead: (key: Key) => boolean;
};

/** @returns those that still differ, and why */
async function repairKeys(
  context: SettleContext,
  mender: Mender,
  portion: Portion,
): Promise<LeftKey[]> {
  const { reader, target, watch, pace } = context;
  const { table, keys, isAhead } = portion;
  const all = (why: string) => keys.map((key) => ({ key, why }));
  const read = await pace.work('source', () => readOrNull(reader, table, keys));
  if (read === null) return all('a transaction of the source did not end');
  // So that changes from before come as changes, for journals see those.
  await watch.waitFor(read.lsn);
  const now = await compareRows(target, table, keys, read.rows);
  const mending = {
    table,
    events: eventsOf(table, keys, read, now),
    barrier: read.lsn,
    ahead: keys.filter(isAhead),
    sourceEnd: () => watch.sourceEnd(),
  };
  try {
    const refusal = await pace.work('target', () => mender.mend(mending));
    if (refusal !== null) return all(refusal);
  } catch (error) {
    // A row that others refer to and that cannot be marked as deleted, for example.
    if (!(error instanceof TandemError) || error.code !== 'TARGET_FAILED') throw error;
    if (keys.length === 1) return all(error.message);
    const half = keys.length >> 1;
    const first = await repairKeys(context, mender, { ...portion, keys: keys.slice(0, half) });
    const second = await repairKeys(context, mender, { ...portion, keys: keys.slice(half) });
    return [...first, ...second];
  }
  return lookAgain(context, portion, read);
}

/** The rows as they were read; a tombstone where the mirror has what the source has not. */
function eventsOf(
  table: MirrorTable,
  keys: readonly Key[],
  { lsn, rows }: BarrierRead,
  now: readonly Compared[],
): ChangeEvent[] {
  const version = { commitLsn: lsn, changeLsn: 0n as Lsn };
  const stamp = { table, version, committedAt: null };
  const gone = keys.filter((_, i) => now[i]?.onSource === false && now[i]?.mirror !== null);
  return [
    ...rows.map((row): ChangeEvent => ({ ...stamp, kind: 'read', row, oldKey: null })),
    ...gone.map((key): ChangeEvent => ({ ...stamp, kind: 'delete', key })),
  ];
}

/** Whether the mirror has what was read, or, where the stream goes on, what the source has now. */
async function lookAgain(
  context: SettleContext,
  { table, keys, isAhead }: Portion,
  { rows }: BarrierRead,
): Promise<LeftKey[]> {
  const { target, watch } = context;
  const compared = await compareRows(target, table, keys, rows);
  const end = await watch.sourceEnd();
  const left: LeftKey[] = [];
  const open: Key[] = [];
  for (const [i, key] of keys.entries()) {
    const found = compared[i];
    if (found === undefined) continue;
    const { onSource, mirror, differing } = found;
    if (isAhead(key) && mirror !== null && mirror.version.commitLsn > end) {
      left.push({ key, why: 'its version still lies in the future of the source' });
    } else if (onSource !== (mirror?.isDeleted === false) || differing.length > 0) {
      open.push(key);
    }
  }
  if (watch.stalled !== null) {
    return [...left, ...open.map((key) => ({ key, why: 'it differs again' }))];
  }
  // The stream goes on: what is right now is for a second look, with its evidence, to say.
  const others = keys.filter((key) => !left.some((it) => it.key === key));
  const { mismatches, unsettled, reason } = await settle(context, table, others);
  return [
    ...left,
    ...mismatches.map(({ key }) => ({ key, why: 'it differs again' })),
    ...unsettled.map((key) => ({ key, why: reason })),
  ];
}
