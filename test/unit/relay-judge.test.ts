import { expect, test } from 'vitest';
import type { FoundStream, StoredStream } from '../../connectors/postgres/judge-slot.ts';
import type { SlotState } from '../../connectors/postgres/slot.ts';
import type { Lsn } from '../../core/version.ts';
import { judgeRelay } from '../../relay/judge-relay.ts';

const lsn = (value: number) => BigInt(value) as Lsn;

const target = (position: number): StoredStream => ({
  ...{ systemIdentifier: 's', timeline: 1, slot: 'tandem', position: lsn(position) },
});

const published = (at: number, change: { timeline?: number; systemIdentifier?: string } = {}) => ({
  ...{ systemIdentifier: 's', timeline: 1, lsn: lsn(at) },
  ...change,
});

function found(confirmed: number, restart: number, change: Partial<FoundStream['source']> = {}) {
  const slot: SlotState = {
    ...{ exists: true, name: 'tandem', plugin: 'pgoutput', database: 'legacy' },
    ...{ isActive: false, activePid: null, isTemporary: false, isTwoPhase: false },
    ...{ confirmedFlushLsn: lsn(confirmed), restartLsn: lsn(restart), walStatus: 'reserved' },
    ...{ invalidationReason: null, safeWalBytes: null, retainedBytes: null },
  };
  const source = {
    ...{ systemIdentifier: 's', timeline: 1, serverVersion: 180_000, database: 'legacy' },
    ...{ isInRecovery: false, walLsn: lsn(1_000) },
    ...change,
  };
  return { source, slot, history: [{ timeline: 1, end: lsn(500) }] } satisfies FoundStream;
}

test.each([
  ['a slot that was just made, nothing published', target(100), null, found(100, 90), 100],
  ['a slot that the log has passed', target(100), published(300), found(250, 90), 300],
  ['a slot that a direct run has moved on', target(400), published(300), found(390, 90), 390],
  ['a memory that is not behind the slot', target(100), published(300), found(300, 90), 300],
])('%s is gone on with', (_, stored, memory, stream, startsAt) => {
  expect(judgeRelay(stored, memory, stream)).toEqual({ kind: 'ok', startsAt: lsn(startsAt) });
});

test.each([
  ['past log and target', target(100), published(300), found(301, 90), 'SLOT_AHEAD'],
  ['past the target, with nothing published', target(100), null, found(101, 90), 'SLOT_AHEAD'],
  ['made anew', target(100), published(300), found(400, 390), 'SLOT_RECREATED'],
])('a slot that is %s is refused', (_, stored, memory, stream, code) => {
  expect(judgeRelay(stored, memory, stream)).toMatchObject({ kind: 'refused', code });
});

test('another server is refused, and one that never was where the topics are', () => {
  const other = published(300, { systemIdentifier: 'other' });
  expect(judgeRelay(target(100), other, found(100, 90))).toMatchObject({
    code: 'WRONG_SERVER',
    details: { of: 'the topics' },
  });
  expect(judgeRelay(target(100), published(2_000), found(100, 90))).toMatchObject({
    code: 'SOURCE_BEHIND',
  });
  const promoted = found(100, 90, { timeline: 2 });
  expect(judgeRelay(target(100), published(501), promoted)).toMatchObject({
    code: 'SOURCE_BEHIND',
    details: { of: 'the topics' },
  });
  expect(judgeRelay(target(100), published(499), promoted)).toMatchObject({ kind: 'ok' });
});
