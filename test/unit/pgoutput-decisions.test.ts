import { describe, expect, test } from 'vitest';
import { parseTimelineHistory } from '../../connectors/postgres/timeline-history.ts';
import { backoffMs } from '../../connectors/postgres/backoff.ts';
import { judgeSlot, type FoundStream } from '../../connectors/postgres/judge-slot.ts';
import { judgeLink, statusIntervalMs } from '../../connectors/postgres/link-health.ts';
import { mirrorType } from '../../connectors/postgres/mirror-type.ts';
import { publicationSql } from '../../connectors/postgres/publication.ts';
import { streamError } from '../../connectors/postgres/replication-errors.ts';
import { startReplication } from '../../connectors/postgres/replication-plugin.ts';
import type { SlotState } from '../../connectors/postgres/slot.ts';
import { standbyStatus } from '../../connectors/postgres/standby-status.ts';
import type { Lsn } from '../../core/version.ts';

test('pauses grow, never pass thirty seconds, and are never all the same', () => {
  for (let attempt = 1; attempt < 50; attempt++) {
    const [least, most] = [backoffMs(attempt, 0), backoffMs(attempt, 1)];
    expect(least).toBe(Math.round(most / 2));
    expect(most).toBeLessThanOrEqual(30_000);
    expect(most).toBeGreaterThanOrEqual(backoffMs(attempt - 1, 1));
  }
  expect(backoffMs(1, 1)).toBe(250);
  expect(backoffMs(8, 1)).toBe(30_000);
});

test('names in the replication command are quoted for the place they stand in', () => {
  const command = startReplication({
    slot: 'slot',
    position: '0/1',
    publication: `it's "mine"`,
    withMessages: true,
  });
  expect(command).toBe(
    `START_REPLICATION SLOT "slot" LOGICAL 0/1 (proto_version '1', publication_names '"it''s ""mine"""', messages 'true')`,
  );
  const plain = { slot: 's', position: '0/1', publication: 'p', withMessages: false };
  expect(startReplication(plain)).not.toContain('messages');
});

test('a status carries the position as it is, three times', () => {
  const status = standbyStatus({
    position: 0x16_b374d848n as Lsn,
    nowMs: Date.UTC(2000, 0, 1) + 5,
    wantsReply: true,
  });
  expect(status.toString('hex')).toBe(`72${'00000016b374d848'.repeat(3)}${'0000000000001388'}01`);
});

test('a silent server is asked, and given up after a minute or twice its own patience', () => {
  expect(judgeLink({ silentMs: null, serverTimeoutMs: 1 })).toBe('fine');
  expect(judgeLink({ silentMs: 10_000, serverTimeoutMs: 60_000 })).toBe('fine');
  expect(judgeLink({ silentMs: 40_000, serverTimeoutMs: 60_000 })).toBe('ask');
  expect(judgeLink({ silentMs: 100_000, serverTimeoutMs: 60_000 })).toBe('ask');
  expect(judgeLink({ silentMs: 121_000, serverTimeoutMs: 60_000 })).toBe('dead');
  expect(judgeLink({ silentMs: 61_000, serverTimeoutMs: 0 })).toBe('dead');
});

test('the status comes well before the server would lose patience', () => {
  expect(statusIntervalMs(5_000, 60_000)).toBe(5_000);
  expect(statusIntervalMs(5_000, 2_000)).toBe(500);
  expect(statusIntervalMs(5_000, 0)).toBe(5_000);
});

describe('the slot is an identity', () => {
  const lsn = (value: number) => BigInt(value) as Lsn;
  const stored = { systemIdentifier: '7', timeline: 1, slot: 's', position: lsn(100) };
  const slot: SlotState = {
    exists: true,
    name: 's',
    plugin: 'pgoutput',
    database: 'd',
    isActive: false,
    activePid: null,
    isTemporary: false,
    isTwoPhase: false,
    confirmedFlushLsn: lsn(90),
    restartLsn: lsn(80),
    walStatus: 'reserved',
    invalidationReason: null,
    safeWalBytes: null,
    retainedBytes: 0n,
  };
  const source = {
    systemIdentifier: '7',
    timeline: 1,
    serverVersion: 150_000,
    database: 'd',
    isInRecovery: false,
    walLsn: lsn(200),
  };
  const found = (change: {
    source?: Partial<FoundStream['source']>;
    slot?: Partial<SlotState>;
  }): FoundStream => ({
    source: { ...source, ...change.source },
    slot: { ...slot, ...change.slot },
  });

  test.each([
    ['WRONG_SERVER', found({ source: { systemIdentifier: '8' } })],
    ['SLOT_MISSING', { source, slot: { exists: false as const, name: 's' } }],
    ['SLOT_LOST', found({ slot: { walStatus: 'lost' } })],
    ['SLOT_LOST', found({ slot: { invalidationReason: 'rows_removed' } })],
    ['SLOT_AHEAD', found({ slot: { confirmedFlushLsn: lsn(101) } })],
    ['SLOT_RECREATED', found({ slot: { confirmedFlushLsn: lsn(120), restartLsn: lsn(110) } })],
    ['SLOT_RECREATED', found({ slot: { plugin: 'wal2json' } })],
    ['SLOT_RECREATED', found({ slot: { database: 'other' } })],
    ['SOURCE_BEHIND', found({ source: { walLsn: lsn(99) } })],
  ])('%s', (code, state) => {
    expect(judgeSlot(stored, state)).toMatchObject({ kind: 'refused', code });
  });

  test('the same slot at or behind the position goes on; after a failover with a warning', () => {
    expect(judgeSlot(stored, found({}))).toEqual({ kind: 'ok', warning: null });
    const at = found({ slot: { confirmedFlushLsn: lsn(100), restartLsn: lsn(100) } });
    expect(judgeSlot(stored, at)).toEqual({ kind: 'ok', warning: null });
    const history = [{ timeline: 1, end: lsn(100) }];
    const promoted = { ...found({ source: { timeline: 2 } }), history };
    expect(judgeSlot(stored, promoted)).toEqual({ kind: 'ok', warning: 'TIMELINE_CHANGED' });
  });

  test.each([
    ['left the old one before what the target holds', 2, [{ timeline: 1, end: lsn(99) }], 100],
    ['left it before what the copy has read', 2, [{ timeline: 1, end: lsn(150) }], 151],
    ['left it while a table was half copied', 2, [{ timeline: 1, end: lsn(150) }], null],
    ['does not come out of the old one', 3, [{ timeline: 2, end: lsn(150) }], 100],
    ['has no history', 2, [], 100],
  ] as const)('a timeline that %s is refused', (_, timeline, history, reached) => {
    const readUntil = reached === null ? null : lsn(reached);
    const state = { ...found({ source: { timeline } }), history };
    expect(judgeSlot({ ...stored, readUntil }, state)).toMatchObject({ code: 'SOURCE_BEHIND' });
  });

  test('without a memory there is nothing to miss', () => {
    const none = { source, slot: { exists: false as const, name: 's' } };
    expect(judgeSlot(null, none)).toEqual({ kind: 'ok', warning: null });
    expect(judgeSlot(null, found({ slot: { walStatus: 'lost' } }))).toMatchObject({
      code: 'SLOT_LOST',
    });
  });
});

test.each([
  ['55006', 'replication slot "s" is active for PID 4711', 'SLOT_IN_USE'],
  ['42704', 'replication slot "s" does not exist', 'SLOT_MISSING'],
  ['42704', 'publication "p" does not exist', 'NOT_SET_UP'],
  ['55000', 'can no longer get changes from replication slot "s"', 'SLOT_LOST'],
  ['55000', 'can no longer access replication slot "s"', 'SLOT_LOST'],
  ['58P01', 'requested WAL segment 000000010000000000000001 has already been removed', 'SLOT_LOST'],
  ['55000', 'logical decoding requires wal_level >= logical', 'WAL_LEVEL'],
  ['42601', 'syntax error at or near "START_REPLICATION"', 'POOLED_CONNECTION'],
  ['42501', 'permission denied to use replication slots', 'PRIVILEGE_MISSING'],
  ['57P01', 'terminating connection due to administrator command', 'SOURCE_UNREACHABLE'],
  ['', 'Connection terminated unexpectedly', 'SOURCE_UNREACHABLE'],
])('%s "%s" is %s', (code, text, expected) => {
  const error = Object.assign(new Error(text), code === '' ? {} : { code });
  const found = streamError(error, { slot: 's', publication: 'p' });
  expect(found.code).toBe(expected);
  if (expected === 'SLOT_IN_USE') expect(found.details['pid']).toBe('4711');
});

test.each([
  [{ oid: 23, name: 'integer', elementOid: 0 }, 'integer'],
  [{ oid: 1007, name: 'integer[]', elementOid: 23 }, 'integer[]'],
  [{ oid: 20_000, name: 'public.mood', elementOid: 0 }, 'text'],
  [{ oid: 20_001, name: 'public.mood[]', elementOid: 20_000 }, 'text[]'],
  [{ oid: 2205, name: 'regclass', elementOid: 0 }, 'text'],
  [{ oid: 790, name: 'money', elementOid: 0 }, 'text'],
])('%j is %s in the mirror', (base, expected) => {
  expect(mirrorType(base)).toBe(expected);
});

test('a publication is created with its lists, its quotes and, where needed, by way of the root', () => {
  const table = { schema: 'public', relation: 'a"b', columns: ['id', 'X y'], isPartitioned: false };
  const plain = { schema: 'o', relation: 'c', columns: null, isPartitioned: true };
  expect(publicationSql(null, { name: 'p', kinds: '', tables: [table] })).toEqual([
    `create publication "p" for table "public"."a""b" ("id", "X y")`,
  ]);
  expect(publicationSql(null, { name: 'p', kinds: '', tables: [table, plain] })).toEqual([
    `create publication "p" for table "public"."a""b" ("id", "X y"), "o"."c" with (publish_via_partition_root = true)`,
  ]);
});

test('the history of a timeline is read as the server writes it', () => {
  const text = '1\t0/3000160\tno recovery target specified\n\n# a comment\n2\tA/5000000\tx\n';
  expect(parseTimelineHistory(text)).toEqual([
    { timeline: 1, end: 0x3000160n },
    { timeline: 2, end: 0xa05000000n },
  ]);
});
