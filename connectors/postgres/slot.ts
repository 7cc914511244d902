import type pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { statementError, textRows } from './connection.ts';

/** What the source says of a replication slot. */
export type SlotState = {
  readonly exists: true;
  readonly name: string;
  /** Null for a physical slot. */
  readonly plugin: string | null;
  readonly database: string | null;
  readonly isActive: boolean;
  readonly activePid: number | null;
  readonly isTemporary: boolean;
  readonly isTwoPhase: boolean;
  /** Up to here the source believes that everything was received and kept. */
  readonly confirmedFlushLsn: Lsn | null;
  /** From here on the source keeps WAL. */
  readonly restartLsn: Lsn | null;
  /** `reserved`, `extended`, `unreserved` or `lost`; null before PostgreSQL 13. */
  readonly walStatus: string | null;
  /** Why the slot cannot be used any more (PostgreSQL 17 and later). */
  readonly invalidationReason: string | null;
  /** WAL that may still be written before the slot is lost; null where there is no limit. */
  readonly safeWalBytes: bigint | null;
  /** WAL that the slot holds back; null on a standby. */
  readonly retainedBytes: bigint | null;
};
export type NoSlot = { readonly exists: false; readonly name: string };

/** Works on PostgreSQL 10 and later: a column that the server lacks reads as null from the row's JSON. */
const READ_SLOT = `
  select s ->> 'plugin', s ->> 'database', s ->> 'active', s ->> 'active_pid', s ->> 'temporary',
    coalesce(s ->> 'two_phase', 'false'), s ->> 'confirmed_flush_lsn', s ->> 'restart_lsn',
    s ->> 'wal_status', s ->> 'invalidation_reason', s ->> 'safe_wal_size',
    case when not pg_is_in_recovery()
      then pg_wal_lsn_diff(pg_current_wal_insert_lsn(), (s ->> 'restart_lsn')::pg_lsn)::bigint end
  from (select to_jsonb(slots) as s from pg_replication_slots as slots where slot_name = $1) as one`;

/** Reads the slot's state; needs no privilege beyond a login. */
export async function readSlot(client: pg.ClientBase, name: string): Promise<SlotState | NoSlot> {
  try {
    const [row] = await textRows(client, READ_SLOT, [name]);
    if (row === undefined) return { exists: false, name };
    const [plugin, database, active, pid, temporary, twoPhase, confirmed, restart, ...more] = row;
    const [walStatus, invalidationReason, safeBytes, retained] = more;
    return {
      exists: true,
      name,
      plugin: plugin ?? null,
      database: database ?? null,
      isActive: active === 'true',
      activePid: pid ? Number(pid) : null,
      isTemporary: temporary === 'true',
      isTwoPhase: twoPhase === 'true',
      confirmedFlushLsn: confirmed ? parseLsn(confirmed) : null,
      restartLsn: restart ? parseLsn(restart) : null,
      walStatus: walStatus ?? null,
      invalidationReason: invalidationReason ?? null,
      safeWalBytes: safeBytes ? BigInt(safeBytes) : null,
      retainedBytes: retained ? BigInt(retained) : null,
    };
  } catch (error) {
    throw statementError('source', error, 'read slot');
  }
}

/** Whether the source has removed WAL that the slot needed, or has invalidated the slot otherwise. */
export function isLost(slot: SlotState): boolean {
  return slot.walStatus === 'lost' || slot.invalidationReason !== null;
}

/**
 * The statement that makes a slot. Since PostgreSQL 17 a slot can go over to a standby that is
 * promoted; where no standby asks for it (`sync_replication_slots`), that costs nothing. On a
 * standby itself it cannot be had.
 */
export function creationSql(source: SlotHome): string {
  const survives = source.serverVersion >= FAILOVER_SINCE && !source.isInRecovery;
  const more = survives ? ', temporary => false, failover => true' : '';
  return `pg_create_logical_replication_slot($1, 'pgoutput'${more})`;
}
const FAILOVER_SINCE = 170_000;
/** What `identifySource` tells of the server. */
type SlotHome = { readonly serverVersion: number; readonly isInRecovery: boolean };

/**
 * Creates a logical slot and returns its consistent point: what commits from there on will stream.
 *
 * Waits for the end of all transactions that are running and have written. The publication must
 * exist before: decoding looks it up as it was at the time of each change.
 *
 * @throws TandemError `SLOT_EXISTS`, `WAL_LEVEL`, `PRIVILEGE_MISSING`, `SOURCE_FAILED`
 */
export async function createSlot(client: pg.ClientBase, name: string): Promise<Lsn> {
  try {
    const [home = []] = await textRows(
      client,
      `select current_setting('server_version_num'), pg_is_in_recovery()`,
    );
    const sql = creationSql({ serverVersion: Number(home[0]), isInRecovery: home[1] === 't' });
    const [row] = await textRows(client, `select lsn from ${sql}`, [name]);
    return parseLsn(row?.[0] ?? '');
  } catch (error) {
    throw creationError(error, name);
  }
}

function creationError(error: unknown, slot: string): TandemError {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === '42710') return new TandemError('SLOT_EXISTS', { slot }, error);
  if (code === '55000' && error instanceof Error && error.message.includes('wal_level')) {
    return new TandemError('WAL_LEVEL', { slot }, error);
  }
  return statementError('source', error, `create slot ${slot}`);
}

/**
 * Drops the slot. False where there is none.
 *
 * @throws TandemError `SLOT_IN_USE`, `PRIVILEGE_MISSING`
 */
export async function dropSlot(client: pg.ClientBase, name: string): Promise<boolean> {
  const slot = await readSlot(client, name);
  if (!slot.exists) return false;
  if (slot.isActive) {
    throw new TandemError('SLOT_IN_USE', { slot: name, pid: slot.activePid ?? 'unknown' });
  }
  try {
    await textRows(client, 'select pg_drop_replication_slot($1)', [name]);
    return true;
  } catch (error) {
    throw statementError('source', error, `drop slot ${name}`);
  }
}
