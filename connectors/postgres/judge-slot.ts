import type { ErrorCode, ErrorDetails } from '../../core/errors.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { isLost, type NoSlot, type SlotState } from './slot.ts';
import type { SourceIdentity } from './source-identity.ts';
import type { TimelineEnd } from './timeline-history.ts';

/** What the target remembers of the stream it was fed from. */
export type StoredStream = {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly slot: string;
  /** Up to here the target has committed. */
  readonly position: Lsn;
  /** How the target was fed last. Default: from the slot. */
  readonly mode?: 'direct' | 'kafka';
  /**
   * Up to here the copy has read the source, which may be further than the stream; null: a table
   * is half copied, and nobody knows how far. Left out: the copy is not ahead.
   */
  readonly readUntil?: Lsn | null;
};

export type FoundStream = {
  readonly source: SourceIdentity;
  readonly slot: SlotState | NoSlot;
  /** Of the source's timeline; needed where it is another one than before. */
  readonly history?: readonly TimelineEnd[];
};

export type SlotVerdict =
  | { readonly kind: 'ok'; readonly warning: 'TIMELINE_CHANGED' | null }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly details: ErrorDetails };

/**
 * Whether the stream can go on where the target stands. Without a memory (`stored` null) there is
 * nothing to miss, and only a slot that cannot be used is refused.
 *
 * A slot created anew begins at the end of the WAL of that moment, so both its positions are past
 * what the target holds; one that was merely moved on (by another reader, or by
 * `pg_replication_slot_advance`) may still keep older WAL. Either way changes are missing,
 * unless a log between slot and target has them.
 *
 * @param through how the stream is to go on
 */
export function judgeSlot(
  stored: StoredStream | null,
  found: FoundStream,
  through: 'slot' | 'log' = 'slot',
): SlotVerdict {
  const { source, slot } = found;
  if (stored !== null && stored.systemIdentifier !== source.systemIdentifier) {
    return refused('WRONG_SERVER', {
      stored: stored.systemIdentifier,
      found: source.systemIdentifier,
    });
  }
  if (!slot.exists) {
    return stored === null ? fine(null) : refused('SLOT_MISSING', { slot: slot.name });
  }
  if (isLost(slot)) {
    const reason = slot.invalidationReason ?? 'wal_removed';
    return refused('SLOT_LOST', { slot: slot.name, reason });
  }
  if (slot.plugin !== 'pgoutput' || slot.database !== source.database) {
    return refused('SLOT_RECREATED', {
      slot: slot.name,
      plugin: slot.plugin ?? 'none',
      database: slot.database ?? 'none',
    });
  }
  if (stored === null) return fine(null);
  return judgeTimeline(stored, found) ?? judgePositions(stored, source, slot, through);
}

/**
 * A standby that was promoted goes on from where it had received the log, on a timeline of its own.
 * Whatever the target holds beyond that place has never happened there; and since the new server
 * writes on, its position alone tells nothing after a while.
 */
function judgeTimeline(stored: StoredStream, found: FoundStream): SlotVerdict | null {
  const { source, slot, history = [] } = found;
  if (stored.timeline === source.timeline) return null;
  const position = formatLsn(stored.position);
  const details = { slot: slot.name, position, timeline: source.timeline, stored: stored.timeline };
  const left = history.find(({ timeline }) => timeline === stored.timeline);
  // An old primary that came back, or a sibling: it never was where the target has been.
  if (left === undefined) return refused('SOURCE_BEHIND', details);
  const isKnown = stored.readUntil !== null;
  const reached = stored.readUntil ?? stored.position;
  if (isKnown && stored.position <= left.end && reached <= left.end) return null;
  return refused('SOURCE_BEHIND', { ...details, left: formatLsn(left.end) });
}

function judgePositions(
  stored: StoredStream,
  source: SourceIdentity,
  slot: SlotState,
  through: 'slot' | 'log',
): SlotVerdict {
  const details = { slot: slot.name, position: formatLsn(stored.position) };
  if (source.walLsn < stored.position) {
    // Restored from a backup, or failed over to a standby that had not received everything.
    return refused('SOURCE_BEHIND', { ...details, wal: formatLsn(source.walLsn) });
  }
  const { confirmedFlushLsn, restartLsn } = slot;
  const isAhead = confirmedFlushLsn !== null && confirmedFlushLsn > stored.position;
  if (isAhead && through === 'slot') {
    const isNew = restartLsn !== null && restartLsn > stored.position;
    const gap = isNew ? 'SLOT_RECREATED' : 'SLOT_AHEAD';
    return refused(stored.mode === 'kafka' ? 'LOG_NOT_DRAINED' : gap, {
      ...details,
      confirmed: formatLsn(confirmedFlushLsn),
    });
  }
  return fine(stored.timeline === source.timeline ? null : 'TIMELINE_CHANGED');
}

const fine = (warning: 'TIMELINE_CHANGED' | null): SlotVerdict => ({ kind: 'ok', warning });
const refused = (code: ErrorCode, details: ErrorDetails): SlotVerdict => ({
  kind: 'refused',
  code,
  details,
});
