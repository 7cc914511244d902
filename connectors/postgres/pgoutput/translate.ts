import type { ChangeEvent } from '../../../core/change-event.ts';
import { TandemError } from '../../../core/errors.ts';
import type { Cell, MirrorTable } from '../../../core/mirror-table.ts';
import type { Version } from '../../../core/version.ts';
import type {
  DeleteMessage,
  InsertMessage,
  PgMicros,
  TruncateMessage,
  UpdateMessage,
} from './messages.ts';

/** What every event of one message shares. */
export type EventStamp = {
  readonly version: Version;
  readonly committedAt: string;
  readonly transactionId: number;
};

export function insertEvent({ table, row }: InsertMessage, stamp: EventStamp): ChangeEvent {
  requireKey(table, row);
  const { version, committedAt, transactionId } = stamp;
  return { kind: 'create', table, version, committedAt, transactionId, row, oldKey: null };
}

/**
 * One event, also where the key changed: then `oldKey` is set. Values that were not sent because
 * they did not change are taken from the old row, where the server sent it.
 */
export function updateEvent({ table, old, row }: UpdateMessage, stamp: EventStamp): ChangeEvent {
  const { version, committedAt, transactionId } = stamp;
  let oldKey: Cell[] | null = null;
  if (old !== null) {
    for (let i = 0; i < old.length; i++) if (row[i] === undefined) row[i] = old[i];
    for (let i = 0; i < table.keyLength; i++) {
      if (old[i] !== row[i]) oldKey = old.slice(0, table.keyLength);
    }
    if (oldKey !== null) requireKey(table, oldKey);
  }
  requireKey(table, row);
  return { kind: 'update', table, version, committedAt, transactionId, row, oldKey };
}

export function deleteEvent({ table, key }: DeleteMessage, stamp: EventStamp): ChangeEvent {
  requireKey(table, key);
  const { version, committedAt, transactionId } = stamp;
  return { kind: 'delete', table, version, committedAt, transactionId, key };
}

export function truncateEvents({ tables }: TruncateMessage, stamp: EventStamp): ChangeEvent[] {
  return tables.map((table) => ({ kind: 'truncate', table, ...stamp }));
}

/** A key without a value names no row: better to stop than to write to another one. */
function requireKey(table: MirrorTable, image: readonly Cell[]): void {
  for (let i = 0; i < table.keyLength; i++) {
    const value = image[i];
    if (value === null || value === undefined) {
      const column = table.columns[i]?.name ?? '';
      const what = value === null ? 'a key value is null' : 'a key value was not sent';
      throw new TandemError('PROTOCOL_VIOLATION', { table: table.name, column, what });
    }
  }
}

const PG_EPOCH_MS = Date.UTC(2000, 0, 1);

/** Milliseconds since 1970. */
export function epochMs(at: PgMicros): number {
  return PG_EPOCH_MS + Math.floor(at / 1000);
}

/** Whether `timestampText` can write it: the years 0 to 9999. No clock shows anything else. */
export function hasTextForm(at: PgMicros): boolean {
  const ms = epochMs(at);
  return ms >= FIRST_MS && ms <= LAST_MS;
}
const FIRST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** timestamptz text in UTC with microseconds: `2025-01-02 03:04:05.678901+00`. */
export function timestampText(at: PgMicros): string {
  const iso = new Date(epochMs(at)).toISOString(); // 2025-01-02T03:04:05.678Z
  const micros = String(((at % 1000) + 1000) % 1000).padStart(3, '0');
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${micros}+00`;
}
