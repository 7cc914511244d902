import type pg from 'pg';
import { statementError, textRows } from '../../connectors/postgres/connection.ts';
import { rangeCondition } from '../../connectors/postgres/key-range.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { examine } from './examine.ts';
import { hasCommonOrder, nextBound } from './ranges.ts';
import type { Hashing } from './row-hash.ts';
import { isDrawn, type Sample } from './sample.ts';
import { settle, SETTLED_AT_ONCE, type SettleContext } from './settle.ts';
import { mirrorSide, sourceSide, type TableSide } from './side.ts';
import {
  bucketsFor,
  differingBuckets,
  readKeysAhead,
  readSums,
  SAMPLE_SHARES,
  type Part,
} from './sums.ts';
import { addMismatches, addSettled, MAX_MISMATCHES, type TableState } from './table-state.ts';

export type TableContext = SettleContext & {
  readonly source: pg.ClientBase;
  readonly hashing: Hashing;
  readonly rangeRows: number;
  readonly sample: Sample | null;
  /** The table cannot have more rows than a range: its bounds need not be asked for. */
  readonly isOneRange: boolean;
  /** The state after a range, to be shown and kept. */
  readonly onRange: (state: TableState) => Promise<void>;
};

/** Compares a table with its twin, range after range; goes on where `state` ends. */
export async function verifyTable(
  context: TableContext,
  table: MirrorTable,
  state: TableState,
): Promise<void> {
  const sides = {
    source: sourceSide(context.source, table),
    mirror: mirrorSide(context.target, table),
  };
  if (hasCommonOrder(table)) await verifyRanges(context, table, sides, state);
  else if (!state.isFinished) await verifyWhole(context, table, sides, state);
}

type Sides = { readonly source: TableSide; readonly mirror: TableSide };

async function verifyRanges(
  context: TableContext,
  table: MirrorTable,
  sides: Sides,
  state: TableState,
): Promise<void> {
  const { pace, rangeRows, sample, hashing, signal, isOneRange } = context;
  while (!state.isFinished && !state.isCutOff) {
    signal.throwIfAborted();
    const { lower } = state;
    const upper =
      isOneRange && lower === null
        ? null
        : await pace.work('source', () => nextBound(table, lower, rangeRows, sides.source));
    const number = state.ranges + state.skippedRanges + 1;
    // A table of one range is looked at whatever the sample.
    const isOnly = number === 1 && upper === null;
    if (sample !== null && !isOnly && !isDrawn(sample, number)) {
      state.skippedRanges++;
    } else {
      const part = { table, range: { lower, upper }, buckets: 1, sample: null, hashing };
      await verifyPart(context, part, sides, state);
    }
    state.lower = upper;
    state.isFinished = upper === null;
    await context.onRange(state);
  }
}

/** A table whose keys the servers may sort in different ways: one range, in buckets from the start. */
async function verifyWhole(
  context: TableContext,
  table: MirrorTable,
  sides: Sides,
  state: TableState,
): Promise<void> {
  const { sample, hashing } = context;
  const [row] = await textRows(
    context.source,
    'select greatest(reltuples, 0)::bigint from pg_class where oid = $1::regclass',
    [sides.source.from],
  );
  const part: Part = {
    table,
    range: { lower: null, upper: null },
    buckets: bucketsFor(Number(row?.[0] ?? 0)),
    sample:
      sample === null
        ? null
        : { share: Math.max(1, Math.round(sample.share * SAMPLE_SHARES)), seed: sample.seed },
    hashing,
  };
  await verifyPart(context, part, sides, state);
  state.isFinished = true;
  await context.onRange(state);
}

/**
 * Sums of both sides. Equal sums need no barrier to be believed: the mirror's snapshot then holds
 * what the source's snapshot held, so nothing that had happened until then is missing.
 */
async function verifyPart(
  context: TableContext,
  part: Part,
  { source, mirror }: Sides,
  state: TableState,
): Promise<void> {
  const { pace } = context;
  const [ours, theirs] = await Promise.all([
    pace.work('source', () => readSums(part, source)),
    pace.work('target', () => readSums(part, mirror)),
  ]);
  state.ranges++;
  state.rows += ours.rows;
  state.checksum = String(BigInt(state.checksum) + ours.total);
  await lookAhead(context, part, mirror, theirs.newest, state);
  const differing = differingBuckets(ours, theirs);
  if (differing.length > 0) {
    const rows = Math.max(ours.rows, theirs.rows);
    await examine(context, { part, source, mirror, differing, rows }, state);
  }
  await pace.rows(ours.rows);
}

/** A version that lies in the source's future would keep every later change of its row out. */
async function lookAhead(
  { watch, pace }: TableContext,
  part: Part,
  mirror: TableSide,
  newest: Lsn | null,
  state: TableState,
): Promise<void> {
  if (newest === null || newest <= watch.seenEnd) return;
  const end = await watch.sourceEnd();
  if (newest <= end) return;
  const keys = await pace.work('target', () =>
    readKeysAhead(part, mirror, formatLsn(end), MAX_MISMATCHES),
  );
  addMismatches(
    state,
    keys.map((key) => ({ key, kind: 'ahead', columns: [] })),
  );
}

/** Settles every key whose newest change in the mirror, a deletion too, lies behind `since`. */
export async function verifySince(
  context: TableContext,
  table: MirrorTable,
  since: Lsn,
  state: TableState,
): Promise<void> {
  const { pace, target, signal } = context;
  while (!state.isFinished && !state.isCutOff) {
    signal.throwIfAborted();
    const keys = await pace.work('target', () => changedKeys(target, table, since, state.lower));
    if (keys.length > 0) addSettled(state, await settle(context, table, keys));
    state.ranges++;
    state.rows += keys.length;
    state.lower = keys.at(-1) ?? state.lower;
    state.isFinished = keys.length < SETTLED_AT_ONCE;
    await context.onRange(state);
    await pace.rows(keys.length);
  }
}

async function changedKeys(
  target: pg.ClientBase,
  table: MirrorTable,
  since: Lsn,
  lower: readonly string[] | null,
): Promise<readonly (readonly string[])[]> {
  const key = table.columns.slice(0, table.keyLength).map(({ name }) => ident(name));
  const at = mirrorSide(target, table);
  try {
    const rows = await textRows(
      target,
      `select ${key.join(', ')} from ${at.from}
       where _commit_lsn >= $1::pg_lsn and ${rangeCondition(table, { lower, upper: null }, at.typeOf)}
       order by ${key.join(', ')} limit ${SETTLED_AT_ONCE}`,
      [formatLsn(since)],
    );
    return rows.map((row) => row.map((cell) => cell ?? ''));
  } catch (error) {
    throw statementError('target', error, `verify ${table.name}`);
  }
}
