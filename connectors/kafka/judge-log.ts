import { TandemError } from '../../core/errors.ts';
import type { LogEnds } from './log-ends.ts';

/** Where a partition is read on from. */
export type Expected = {
  readonly topic: string;
  readonly partition: number;
  readonly next: bigint;
  /** False: the target has never seen it. */
  readonly isKnown: boolean;
  /** How far it has reached once. */
  readonly seenEnd: bigint;
  /** Nothing is lost where the log is empty: the table joins the stream later, or it has no table. */
  readonly mayBeginLate: boolean;
};

/**
 * Whether a partition still holds what comes next. Kafka's clients go on at the log's first message
 * where it does not, and that would be a gap.
 *
 * @returns `unproven` where the target has had nothing of it and its first messages have gone: the
 *   first that is left will tell
 */
export function judgeLog(expected: Expected, ends: LogEnds | undefined): 'sound' | 'unproven' {
  const { topic, partition, next, isKnown, seenEnd, mayBeginLate } = expected;
  const place = { topic, partition, expected: next };
  if (ends === undefined) {
    // A partition that is new; the metadata of one of two questions came before it.
    if (next === 0n && seenEnd === 0n)
      throw new TandemError('KAFKA_UNREACHABLE', { ...place, reason: 'new partition' });
    throw new TandemError('LOG_RECREATED', { ...place, reason: 'the partition has gone' });
  }
  if (ends.high < next) throw new TandemError('LOG_RECREATED', { ...place, end: ends.high });
  if (ends.high < seenEnd) {
    throw new TandemError('LOG_RECREATED', { ...place, end: ends.high, endedAt: seenEnd });
  }
  if (ends.low <= next) return 'sound';
  const isEmpty = ends.low === ends.high;
  if (!isKnown && isEmpty && mayBeginLate) return 'sound';
  if (isKnown || isEmpty) throw new TandemError('LOG_EXPIRED', { ...place, first: ends.low });
  return 'unproven';
}

/** @throws TandemError `LOG_RECREATED` where the target was fed from another cluster */
export function judgeCluster(stored: string | null, found: string): void {
  if (stored === null || stored === found) return;
  throw new TandemError('LOG_RECREATED', { fedFrom: stored, cluster: found });
}
