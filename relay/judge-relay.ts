import {
  judgeSlot,
  type FoundStream,
  type SlotVerdict,
  type StoredStream,
} from '../connectors/postgres/judge-slot.ts';
import type { PublishedUpTo } from '../connectors/kafka/position-topic.ts';
import { formatLsn, type Lsn } from '../core/version.ts';

type RelayVerdict =
  { readonly kind: 'ok'; readonly startsAt: Lsn } | Extract<SlotVerdict, { kind: 'refused' }>;

/**
 * Whether the relay may go on with this slot, and where. The slot must not be past what is in the
 * log or, from the time when a direct process had it, in the target: somebody else moved it, or it
 * is another one, and what was committed between is nowhere.
 *
 * @param published what is known to be in the log; null: nothing was published yet
 */
export function judgeRelay(
  target: StoredStream,
  published: PublishedUpTo | null,
  found: FoundStream,
): RelayVerdict {
  const ofTarget = judgeSlot(target, found, 'log');
  if (ofTarget.kind === 'refused') return ofTarget;
  if (published !== null) {
    const { systemIdentifier, timeline, lsn: position } = published;
    const log = { systemIdentifier, timeline, slot: target.slot, position };
    const ofLog = judgeSlot(log, found, 'log');
    if (ofLog.kind === 'refused') {
      return { ...ofLog, details: { ...ofLog.details, of: 'the topics' } };
    }
  }
  const { slot } = found;
  const confirmed = slot.exists ? slot.confirmedFlushLsn : null;
  const inLog = published?.lsn ?? (0n as Lsn);
  if (confirmed === null) return { kind: 'ok', startsAt: larger(inLog, target.position) };
  const reached = larger(inLog, target.position);
  if (confirmed <= reached) return { kind: 'ok', startsAt: larger(inLog, confirmed) };
  const restart = slot.exists ? slot.restartLsn : null;
  const isNew = restart !== null && restart > reached;
  return {
    kind: 'refused',
    code: isNew ? 'SLOT_RECREATED' : 'SLOT_AHEAD',
    details: {
      slot: slot.name,
      confirmed: formatLsn(confirmed),
      published: published === null ? 'nothing' : formatLsn(inLog),
      position: formatLsn(target.position),
    },
  };
}

function larger(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}
