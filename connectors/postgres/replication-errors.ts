import { TandemError } from '../../core/errors.ts';
import { statementError } from './connection.ts';
import { isLost, type NoSlot, type SlotState } from './slot.ts';

/**
 * What the slot's state says against streaming from it; null where nothing does. Read from the
 * catalogue, because the server's messages are translated.
 */
export function slotError(slot: SlotState | NoSlot): TandemError | null {
  if (!slot.exists) return new TandemError('SLOT_MISSING', { slot: slot.name });
  if (isLost(slot)) {
    const reason = slot.invalidationReason ?? 'wal_removed';
    return new TandemError('SLOT_LOST', { slot: slot.name, reason });
  }
  if (slot.isActive) return slotInUse(slot.name, slot.activePid);
  return null;
}

function slotInUse(slot: string, pid: number | string | null, cause?: unknown): TandemError {
  return new TandemError('SLOT_IN_USE', { slot, pid: pid ?? 'unknown' }, cause);
}

/** Names the failure of a stream that the server refused or broke off. */
export function streamError(
  error: unknown,
  stream: { readonly slot: string; readonly publication: string },
): TandemError {
  if (error instanceof TandemError) return error;
  const sqlstate = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : '';
  const { slot, publication } = stream;
  switch (sqlstate) {
    case '55006':
      return slotInUse(slot, /(\d+)\D*$/.exec(message)?.[1] ?? null, error);
    case '58P01': // requested WAL segment has already been removed
      return new TandemError('SLOT_LOST', { slot, sqlstate }, error);
    case '55000':
      if (message.includes('wal_level')) return new TandemError('WAL_LEVEL', { slot }, error);
      if (/can no longer/.test(message)) return new TandemError('SLOT_LOST', { slot }, error);
      break;
    case '42704': // the slot, or, while decoding, the publication
      if (message.includes('publication')) {
        return new TandemError('NOT_SET_UP', { missing: 'publication', publication }, error);
      }
      return new TandemError('SLOT_MISSING', { slot }, error);
    case '42601': // a pooler that swallowed `replication=database` leaves us on a plain session
      return new TandemError('POOLED_CONNECTION', { side: 'source', sqlstate }, error);
    case '57P01': // shut down
    case '57P02':
    case '57P03':
      return new TandemError('SOURCE_UNREACHABLE', { slot, sqlstate }, error);
  }
  return statementError('source', error, `stream ${slot}`);
}
