import type pg from 'pg';
import { readSlot, type NoSlot, type SlotState } from '../connectors/postgres/slot.ts';
import { textRows } from '../connectors/postgres/connection.ts';
import type { Mapping } from '../core/entity.ts';
import { account, type EntityAccount } from './account.ts';
import { countDeadLetters } from './dead-letter-list.ts';
import {
  changedMappings,
  inactiveEntities,
  type ChangedMapping,
  type InactiveEntity,
} from './entity-states.ts';
import { lastInterruption, type Interruption } from './interruption.ts';
import { journalGaps, type JournalGap } from './journal-gaps.ts';
import { readLag, type Lag } from './lag.ts';

export type Phase = 'not set up' | 'loading' | 'deriving' | 'catching up' | 'streaming' | 'stopped';

/** A table whose changes are not taken as they come. */
export type UnsettledTable = {
  readonly table: string;
  readonly state: 'stopped' | 'waiting' | 'joining';
  readonly reason: string | null;
  readonly since: string;
};

export type Waiting = { readonly rows: number; readonly oldestSeconds: number | null };

/** All that `tandem status` shows. */
export type Status = {
  readonly phase: Phase;
  readonly slot: SlotState | NoSlot;
  readonly lag: Lag;
  /** Why nothing comes at present; null where something does, or nothing has failed. */
  readonly interruption: Interruption | null;
  readonly mirror: {
    readonly loaded: number;
    readonly tables: number;
    readonly isConsistent: boolean;
  };
  /** Stopped, or being read beside the stream. */
  readonly unsettled: readonly UnsettledTable[];
  readonly openJobs: number;
  /** Times of which journals lack the changes. */
  readonly journalGaps: readonly JournalGap[];
  readonly held: Waiting;
  readonly unresolved: Waiting;
  readonly quarantined: Waiting;
  /** Refused rows that a person has decided to leave out. */
  readonly accepted: Waiting;
  /** Messages of a log that nobody could read: each may be a change that is missing. */
  readonly unread: Waiting;
  /** Entities that are not derived at present. */
  readonly inactive: readonly InactiveEntity[];
  /** Entities with rows of another mapping than the one that derives now. */
  readonly changedMappings: readonly ChangedMapping[];
  /** The last full pass of the proof that ended; null: there was none. */
  readonly proof: LastProof | null;
  readonly entities: readonly EntityAccount[];
};

export type LastProof = {
  readonly finishedAt: string;
  readonly ageSeconds: number;
  /** `agrees`, `differs` or `unsettled`. */
  readonly verdict: string;
};

export async function readStatus(context: {
  readonly source: pg.ClientBase;
  readonly target: pg.ClientBase;
  readonly stream: string;
  readonly slot: string;
  readonly mapping: Mapping;
  /** The account of an earlier reading, where counting again is not wanted. */
  readonly entities?: readonly EntityAccount[];
}): Promise<Status> {
  const { source, target, stream, mapping } = context;
  const slot = await readSlot(source, context.slot);
  if (!(await isSetUp(target, stream))) return notSetUp(slot);
  const lag = await readLag(source, target, stream);
  const [row] = await textRows(
    target,
    `select count(*), count(loaded_at),
       coalesce(bool_and(read_until <= (select position::pg_lsn from tandem.position where stream = $1)), false)
     from tandem.mirror where state = 'active'`,
    [stream],
  );
  const tables = Number(row?.[0] ?? 0);
  const loaded = Number(row?.[1] ?? 0);
  const [open] = await textRows(
    target,
    `select (select count(*) from tandem.job),
       (select count(*) from tandem.entity
        where derived_at is not null or waits_for is not null)`,
  );
  const derived = Number(open?.[1] ?? 0);
  const wanted = mapping.entities.filter((entity) => entity.kind === 'derived').length;
  const isConsistent = row?.[2] === 't' && loaded === tables;
  const isLoaded = loaded === tables && tables > 0;
  const unsettled = await unsettledTables(target);
  const joins = unsettled.some(({ state }) => state !== 'stopped');
  const isWhole = isConsistent && !joins;
  return {
    phase: phaseOf({ isLoaded, isDerived: derived >= wanted, isConsistent: isWhole, slot }),
    slot,
    lag,
    interruption: await lastInterruption(target, stream),
    mirror: { loaded, tables, isConsistent },
    unsettled,
    openJobs: Number(open?.[0] ?? 0),
    journalGaps: await journalGaps(target, mapping),
    held: await waiting(target, 'held'),
    unresolved: await waiting(target, 'unresolved'),
    quarantined: await waiting(target, 'quarantine'),
    accepted: await waiting(target, 'accepted'),
    unread: await countDeadLetters(target),
    inactive: await inactiveEntities(target),
    changedMappings: await changedMappings(target),
    proof: await lastProof(target),
    entities: context.entities ?? (isLoaded ? await account(target, mapping) : []),
  };
}

function phaseOf(facts: {
  isLoaded: boolean;
  isDerived: boolean;
  isConsistent: boolean;
  slot: SlotState | NoSlot;
}): Phase {
  if (!facts.isLoaded) return 'loading';
  if (!facts.isDerived) return 'deriving';
  if (!facts.slot.exists || !facts.slot.isActive) return 'stopped';
  return facts.isConsistent ? 'streaming' : 'catching up';
}

async function isSetUp(target: pg.ClientBase, stream: string): Promise<boolean> {
  const [there] = await textRows(target, `select to_regclass('tandem.position') is not null`);
  if (there?.[0] !== 't') return false;
  const rows = await textRows(target, 'select stream from tandem.position where stream = $1', [
    stream,
  ]);
  return rows.length > 0;
}

export async function unsettledTables(target: pg.ClientBase): Promise<readonly UnsettledTable[]> {
  const rows = await textRows(
    target,
    `select table_name, state, reason, since from tandem.mirror
     where state in ('stopped', 'waiting', 'joining') order by table_name`,
  );
  return rows.map(([table, state, reason, since]) => ({
    table: table ?? '',
    state: (state ?? 'stopped') as UnsettledTable['state'],
    reason: reason ?? null,
    since: since ?? '',
  }));
}

async function waiting(
  target: pg.ClientBase,
  list: 'held' | 'unresolved' | 'quarantine' | 'accepted',
): Promise<Waiting> {
  const [row] = await textRows(
    target,
    `select count(*), extract(epoch from clock_timestamp() - min(${list === 'accepted' ? 'accepted_at' : 'first_seen_at'}))
     from tandem.${list}`,
  );
  return { rows: Number(row?.[0] ?? 0), oldestSeconds: row?.[1] == null ? null : Number(row[1]) };
}

/** A target that was set up by an earlier version may lack the table, or its column. */
async function lastProof(target: pg.ClientBase): Promise<LastProof | null> {
  const [there] = await textRows(
    target,
    `select exists (select from pg_attribute
       where attrelid = to_regclass('tandem.proof') and attname = 'is_full')`,
  );
  if (there?.[0] !== 't') return null;
  const [row] = await textRows(
    target,
    `select to_json(finished_at) #>> '{}', extract(epoch from clock_timestamp() - finished_at), verdict
     from tandem.proof where is_full and finished_at is not null order by finished_at desc limit 1`,
  );
  if (row === undefined) return null;
  const [finishedAt, age, verdict] = row;
  return { finishedAt: finishedAt ?? '', ageSeconds: Number(age), verdict: verdict ?? '' };
}

const NOTHING: Waiting = { rows: 0, oldestSeconds: null };

function notSetUp(slot: SlotState | NoSlot): Status {
  return {
    phase: 'not set up',
    slot,
    lag: { position: null, bytes: null, seconds: null, lastDelaySeconds: null, movedAt: null },
    interruption: null,
    mirror: { loaded: 0, tables: 0, isConsistent: false },
    unsettled: [],
    openJobs: 0,
    journalGaps: [],
    held: NOTHING,
    unresolved: NOTHING,
    quarantined: NOTHING,
    accepted: NOTHING,
    unread: NOTHING,
    inactive: [],
    changedMappings: [],
    proof: null,
    entities: [],
  };
}
