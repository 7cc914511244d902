import { expect, test } from 'vitest';
import { checkSource, type SourceSetup } from '../../cli/check/source-checks.ts';
import type { SourceFacts } from '../../cli/check/source-facts.ts';
import { checkTarget } from '../../cli/check/target-checks.ts';
import type { TargetFacts } from '../../cli/check/target-facts.ts';
import { fits, kindOf } from '../../connectors/postgres/column-kind.ts';

/** What the servers of the tests cannot be: old, a standby, full, or busy for a minute. */
const SOURCE: SourceFacts = {
  ...{ version: 160_004, encoding: 'UTF8', isInRecovery: false, systemIdentifier: '1' },
  ...{ databaseOid: '5', walLevel: 'logical', maxSlots: 10, usedSlots: 0, maxSenders: 10 },
  ...{ usedSenders: 0, senderTimeout: '1min', slotKeepMb: -1, role: 'ann', database: 'legacy' },
  ...{ isSuperuser: false, mayReplicate: true, bypassesRowSecurity: true, mayCreate: true },
  ...{ mayEmit: true, publication: null, longTransactions: [], preparedTransactions: 0 },
  clockAheadSeconds: 0,
};
const SETUP: SourceSetup = { slot: { exists: false, name: 'tandem' }, heartbeatSeconds: 5 };
const source = (facts: Partial<SourceFacts>, name: string, setup: Partial<SourceSetup> = {}) =>
  checkSource({ ...SOURCE, ...facts }, { ...SETUP, ...setup }).find((it) => it.name === name);

test.each<[Partial<SourceFacts>, string, string, RegExp]>([
  [{ version: 90_624 }, 'version', 'failure', /PostgreSQL 9/],
  [{ isInRecovery: true, version: 150_000 }, 'primary', 'failure', /older than PostgreSQL 16/],
  [{ isInRecovery: true }, 'primary', 'warning', /is a standby/],
  [{ isInRecovery: true }, 'heartbeats', 'failure', /standby/],
  [{ mayEmit: false }, 'heartbeats', 'failure', /ann may not/],
  [{ senderTimeout: '5s' }, 'wal_sender_timeout', 'warning', /short/],
  [{ slotKeepMb: null }, 'max_slot_wal_keep_size', 'warning', /PostgreSQL 13/],
  [{ slotKeepMb: -1 }, 'max_slot_wal_keep_size', 'warning', /unlimited.*fills the disk/],
  [{ slotKeepMb: 51_200 }, 'max_slot_wal_keep_size', 'warning', /50 GB.*loses its slot/],
  [
    { longTransactions: [{ pid: 77, seconds: 200, application: 'celery' }] },
    'long transactions',
    'warning',
    /process 77 \(celery\) for 3 min 20 s/,
  ],
])('source: %j makes %s a %s', (facts, name, status, found) => {
  const result = source(facts, name);
  expect(result).toMatchObject({ status });
  expect(result?.found).toMatch(found);
  expect(result?.mend).toBeTruthy();
});

test('heartbeats that are switched off need nothing', () => {
  expect(source({ mayEmit: false }, 'heartbeats', { heartbeatSeconds: 0 })?.status).toBe('ok');
});

test('a server whose slots are all used is no failure when ours is among them', () => {
  const slot = {
    ...{ exists: true, name: 'tandem', plugin: 'pgoutput', database: 'legacy', isActive: false },
    ...{ activePid: null, isTemporary: false, isTwoPhase: false, confirmedFlushLsn: null },
    ...{ restartLsn: null, walStatus: 'reserved', invalidationReason: null, safeWalBytes: null },
    retainedBytes: 3n * 1024n * 1024n,
  } as const;
  const full = { usedSlots: 10 };
  expect(source(full, 'replication slots')?.status).toBe('failure');
  expect(source(full, 'replication slots', { slot })?.status).toBe('ok');
  expect(source(full, 'slot', { slot })).toMatchObject({
    status: 'ok',
    found: 'tandem exists, keeps 3 MB of WAL',
  });
  const nearly = { ...slot, walStatus: 'unreserved' };
  expect(source(full, 'slot', { slot: nearly })).toMatchObject({ status: 'warning' });
});

const TARGET: TargetFacts = {
  ...{ version: 170_000, databaseOid: '5', role: 'postgres', database: 'postgres' },
  ...{ isSuperuser: false, bypassesRowSecurity: true, mayCreate: true, schemas: {} },
  ...{ isReadOnly: false, isInRecovery: false, maxConnections: 60, reservedConnections: 3 },
  ...{ usedConnections: 10, roleSettings: [], replicationRole: 'origin', clockAheadSeconds: 0 },
};

test.each<[Partial<TargetFacts>, string, string]>([
  [{ version: 140_000 }, 'version', 'failure'],
  [{ isInRecovery: true }, 'writable', 'failure'],
  [{ usedConnections: 54 }, 'connections', 'warning'],
  [{ roleSettings: ['statement_timeout=2min'] }, 'time limits', 'warning'],
  [{ roleSettings: ['statement_timeout=0', 'work_mem=4MB'] }, 'time limits', 'ok'],
  [{ mayCreate: false }, 'create privilege', 'failure'],
])('target: %j makes %s a %s', (facts, name, status) => {
  const results = checkTarget({ ...TARGET, ...facts }, 2);
  expect(results.find((it) => it.name === name)).toMatchObject({ status });
});

test('a type may be declared as itself, as text, or as a wider number; never narrower', () => {
  expect(kindOf('character varying(30)')).toBe('text');
  expect(kindOf('timestamp(3) with time zone')).toBe('timestamptz');
  expect(kindOf('numeric(12,2)')).toBe('numeric');
  expect(kindOf('inet')).toBe('text');
  expect(fits('int8', 'integer')).toBe(true);
  expect(fits('int4', 'bigint')).toBe(false);
  expect(fits('bool', 'integer')).toBe(false);
  expect(fits('numeric', 'double precision')).toBe(true);
  expect(fits('text', 'interval')).toBe(true);
  expect(fits('timestamp', 'timestamp with time zone')).toBe(false);
});
