import type pg from 'pg';
import { PostgresSourceReader } from '../../connectors/postgres/barrier.ts';
import { textRows, type Database } from '../../connectors/postgres/connection.ts';
import { sourceName } from '../../connectors/postgres/key-range.ts';
import { withBoth } from '../../connectors/postgres/pair.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { identifySource } from '../../connectors/postgres/source-identity.ts';
import { readPosition } from '../../consumers/position.ts';
import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Clock, Observer } from '../../core/ports.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { Pace, type Pacing } from './pace.ts';
import { Readiness } from './ready.ts';
import { NO_REPAIR, repairTable, type Mender, type TableRepair } from './repair-table.ts';
import { agreeOnHashing } from './row-hash.ts';
import type { Sample } from './sample.ts';
import type { MirrorMismatch } from './settle.ts';
import { StreamWatch } from './stream-watch.ts';
import { emptyState, type TableState } from './table-state.ts';
import { rangeTeller, tellMismatch } from '../tell.ts';
import { verifySince, verifyTable, type TableContext } from './verify-table.ts';

export type VerifyMirrorOptions = {
  readonly source: Database;
  readonly target: Database;
  readonly stream: string;
  readonly tables: readonly MirrorTable[];
  /** Rows of a range: the longest statement on either side. */
  readonly rangeRows: number;
  readonly pacing: Pacing;
  readonly sample: Sample | null;
  /** Only keys whose newest change in the mirror lies behind this place. */
  readonly since: Lsn | null;
  /** How often a key that changes again and again is looked at (default 8). */
  readonly rounds?: number;
  /** How long the stream may stand still, and a transaction of the source may take (default 30 s). */
  readonly patienceMs?: number;
  /** A heartbeat may be written to the source, so that an idle stream moves. */
  readonly mayBeat: boolean;
  /** Where an earlier pass stopped, by table. */
  readonly resumeFrom?: ReadonlyMap<string, TableState>;
  /** Further tables, which cannot be looked at, and why. */
  readonly absent?: ReadonlyMap<string, string>;
  /** What differs is put right, and looked at again. */
  readonly mender?: Mender;
  /** Keeps the state of a table after a range. */
  readonly keep?: (table: string, state: TableState) => Promise<void>;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export type TableProof = {
  readonly table: string;
  /** Rows that the source showed; with `since`, keys that were looked at. */
  readonly rows: number;
  readonly ranges: number;
  readonly skippedRanges: number;
  /** Sum of the hashes of the source's rows, free of order. */
  readonly checksum: string;
  readonly mismatches: readonly MirrorMismatch[];
  /** There may be more than are listed: the rest of the table was not looked at. */
  readonly isCutOff: boolean;
  readonly unsettled: readonly (readonly string[])[];
  readonly unsettledCount: number;
  readonly openRanges: number;
  /** Why something was left open; null: nothing was. */
  readonly reason: string | null;
  /** Why the table was not compared; null: it was. */
  readonly notVerified: string | null;
  /** What was done about what differed: `mismatches` are those that are left. Null: nothing was asked for. */
  readonly repair: TableRepair | null;
};

export type MirrorProof = {
  readonly tables: readonly TableProof[];
  /** `hash64` or `md5`. */
  readonly hashing: string;
  /** Where the source's log ended when the first and after the last table was read. */
  readonly from: string;
  readonly until: string;
  /** False: it was stopped before all tables were done. */
  readonly isComplete: boolean;
};

const ROUNDS = 8;
const PATIENCE_MS = 30_000;

/**
 * Proves that the mirror holds what the source holds, or names the rows that differ, while both
 * change. Writes nothing but heartbeats; needs no process that streams, but without one it can only
 * say which ranges agree.
 *
 * @throws TandemError `NOT_SET_UP`, `WRONG_SERVER`; failures of a statement, which name the table
 */
export async function verifyMirror(options: VerifyMirrorOptions): Promise<MirrorProof> {
  const { clock, patienceMs = PATIENCE_MS, signal } = options;
  return await withBoth(options, 'verify', async (source, target) => {
    const reader = new PostgresSourceReader({
      ...{ database: options.source, clock, signal, timeoutMs: patienceMs },
    });
    try {
      await compareIdentity(options, source, target);
      const watch = new StreamWatch({ ...options, source, target, patienceMs });
      const pace = new Pace(options.pacing, clock, signal);
      const hashing = await agreeOnHashing(source, target);
      const rounds = options.rounds ?? ROUNDS;
      const namesLate = options.mender !== undefined;
      const context = {
        ...{ ...options, source, target, reader, watch, pace, hashing, rounds, namesLate },
      };
      return await verifyAll(options, context);
    } finally {
      await reader.close();
    }
  });
}

async function compareIdentity(
  { stream }: VerifyMirrorOptions,
  source: pg.ClientBase,
  target: pg.ClientBase,
): Promise<void> {
  const stored = await readPosition(target, stream);
  if (stored === null) throw new TandemError('NOT_SET_UP', { stream });
  const { systemIdentifier } = await identifySource(source);
  if (systemIdentifier !== stored.systemIdentifier) {
    throw new TandemError('WRONG_SERVER', {
      expected: stored.systemIdentifier,
      found: systemIdentifier,
    });
  }
}

async function verifyAll(
  options: VerifyMirrorOptions,
  context: MirrorContext,
): Promise<MirrorProof> {
  const { watch, hashing } = context;
  const from = formatLsn(await watch.sourceEnd());
  const start = options.clock.now();
  const tables = [...(options.absent ?? [])].map(([name, why]): TableProof =>
    proofOf(name, emptyState(), why, null),
  );
  const sizes = await sizesOf(context.source, options);
  const readiness = await Readiness.read(context.target, watch, options.tables);
  let isComplete = true;
  for (const table of options.tables) {
    let state = options.resumeFrom?.get(table.name) ?? emptyState();
    let repair: TableRepair | null = null;
    let notVerified: string | null = null;
    try {
      options.signal.throwIfAborted();
      notVerified = await readiness.whyNot(table);
      if (notVerified === null) {
        const size = sizes.get(table.name) ?? { rows: 0, isOneRange: false };
        await verifyOne(options, context, table, state, size);
        // What a new copy has overwritten meanwhile says nothing.
        const hasFaults = state.mismatches.length > 0;
        const now = () => Readiness.read(context.target, watch, [table]);
        notVerified = hasFaults ? await (await now()).whyNot(table) : null;
        if (notVerified === null && options.mender !== undefined) {
          const again = async (from: TableState) => {
            state = from;
            await verifyOne(options, context, table, from, size);
          };
          repair = await repairAll(options.mender, context, table, state, again);
        }
      }
    } catch (error) {
      if (!options.signal.aborted) throw error;
      isComplete = false;
    }
    if (isComplete || state.ranges > 0) {
      const proof = proofOf(table.name, state, notVerified, repair);
      tables.push(proof);
      tellMismatch(options.observer, 'mirror', table.name, proof.mismatches.length);
    }
    if (!isComplete) break;
  }
  options.observer.event('mirror verified', {
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    ms: options.clock.now() - start,
  });
  const until = isComplete ? await watch.sourceEnd() : watch.seenEnd;
  return { tables, hashing: hashing.kind, from, until: formatLsn(until), isComplete };
}

/** So often a table is looked at from its start because there were more faults than a list holds. */
const MAX_REPAIRS = 20;

async function repairAll(
  mender: Mender,
  context: MirrorContext,
  table: MirrorTable,
  found: TableState,
  verifyAgain: (state: TableState) => Promise<void>,
): Promise<TableRepair> {
  let all = NO_REPAIR;
  let state = found;
  for (let i = 1; ; i++) {
    const wasCut = state.isCutOff || state.unsettledCount > state.unsettled.length;
    const done = await repairTable(context, mender, table, state);
    all = { repaired: [...all.repaired, ...done.repaired], left: done.left };
    if (!wasCut || done.repaired.length === 0 || i === MAX_REPAIRS) return all;
    state = emptyState();
    await verifyAgain(state);
  }
}

async function verifyOne(
  options: VerifyMirrorOptions,
  context: MirrorContext,
  table: MirrorTable,
  state: TableState,
  { rows: total, isOneRange }: Size,
): Promise<void> {
  const { observer, since } = options;
  const tell = rangeTeller(observer, 'mirror', countsOf(state));
  const onRange = async (now: TableState) => {
    const end = since === null ? Math.max(total, now.rows) : null;
    tell(countsOf(now));
    observer.progress('verify', table.name, now.rows, now.isFinished ? now.rows : end);
    await options.keep?.(table.name, now);
  };
  const whole = { ...context, onRange, isOneRange };
  if (since === null) await verifyTable(whole, table, state);
  else await verifySince(whole, table, since, state);
  observer.event('verified', {
    table: table.name,
    rows: state.rows,
    mismatches: state.mismatches.length,
    unsettled: state.unsettledCount,
  });
}

const countsOf = ({ rows, mismatches, unsettledCount, openRanges }: TableState) => ({
  rows,
  mismatches: mismatches.length,
  open: unsettledCount + openRanges,
});

type MirrorContext = Omit<TableContext, 'onRange' | 'isOneRange'>;
type Size = { readonly rows: number; readonly isOneRange: boolean };

/** No page of 8 kB holds more than 291 rows: a row takes 28 bytes at least. */
const LEAST_ROW_BYTES = 28;

/**
 * About how many rows a table has, and whether it cannot have more than a range: then nobody has to
 * ask for the bounds. That is said by its pages, not by an estimate that may be old.
 */
async function sizesOf(
  source: pg.ClientBase,
  { tables, rangeRows }: VerifyMirrorOptions,
): Promise<ReadonlyMap<string, Size>> {
  const rows = await textRows(
    source,
    `select name, greatest(c.reltuples, 0)::bigint,
       c.relkind = 'r' and pg_relation_size(c.oid) <= $3::bigint
         and not exists (select from pg_inherits where inhparent = c.oid)
     from unnest($1::text[], $2::text[]) as given (name, place)
       join pg_class c on c.oid = to_regclass(place)`,
    [
      arrayLiteral(tables.map(({ name }) => name)),
      arrayLiteral(tables.map(sourceName)),
      rangeRows * LEAST_ROW_BYTES,
    ],
  );
  return new Map(
    rows.map(([name, count, isSmall]) => [
      name ?? '',
      { rows: Number(count), isOneRange: isSmall === 't' },
    ]),
  );
}

function proofOf(
  table: string,
  state: TableState,
  notVerified: string | null,
  repair: TableRepair | null,
): TableProof {
  const { rows, ranges, skippedRanges, checksum, reason, openRanges, unsettledCount } = state;
  if (notVerified !== null) {
    return { ...proofOf(table, emptyState(), null, repair), notVerified };
  }
  return {
    ...{ table, rows, ranges, skippedRanges, checksum, reason, openRanges, unsettledCount },
    mismatches: state.mismatches,
    isCutOff: state.isCutOff,
    unsettled: state.unsettled,
    notVerified,
    repair,
  };
}
