import type { SlotState } from '../../connectors/postgres/slot.ts';
import type { Mapping } from '../../core/entity.ts';
import type { BatchReport, Facts, Observer } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';
import type { EntityAccount } from '../../monitoring/account.ts';
import { Heartbeats } from '../../monitoring/health/heartbeats.ts';
import { EVENT_METRICS } from '../../monitoring/metrics/event-metrics.ts';
import { createMetrics, type Metrics } from '../../monitoring/metrics/metrics.ts';
import { measured } from '../../monitoring/metrics/observe.ts';
import type { ConnectorSight } from '../../monitoring/connector-sight.ts';
import { showConnector } from '../../monitoring/metrics/show-connector.ts';
import { showLogLag } from '../../monitoring/metrics/show-log-lag.ts';
import { showAccount, showSample } from '../../monitoring/metrics/show-sample.ts';
import type { Sample } from '../../monitoring/sample/sampler.ts';
import type { SourceSample } from '../../monitoring/sample/source-sample.ts';
import type { TargetSample } from '../../monitoring/sample/target-sample.ts';
import { WalBudget } from '../../monitoring/sample/wal-budget.ts';
import { SMALL_MAPPING } from './small-mapping.ts';

export const SILENT: Observer = { event() {}, progress() {}, batch() {} };
const MB = 1024 * 1024;

export const REPORT: BatchReport = {
  events: 3,
  changesByTable: new Map([['office', { create: 2, delete: 1 }]]),
  transactionsBytes: 300,
  rowsByEntity: new Map([['office', { applied: 2, removed: 1 }]]),
  phaseMs: { merge: 4, commit: 2 },
  position: '0/1' as BatchReport['position'],
  heartbeatLagMs: 20,
};

export function sourceSample(change: Partial<SlotState> = {}): SourceSample {
  const slot: SlotState = {
    ...{ exists: true, name: 'tandem', plugin: 'pgoutput', database: 'legacy' },
    ...{ isActive: true, activePid: 1, isTemporary: false, isTwoPhase: false },
    ...{ confirmedFlushLsn: null, restartLsn: null, walStatus: 'reserved' },
    ...{ invalidationReason: null, safeWalBytes: BigInt(64 * MB), retainedBytes: BigInt(MB) },
    ...change,
  };
  return { end: 5_000n as Lsn, clockAheadMs: 0, slot, budgetBytes: 100 * MB };
}

export function targetSample(change: Partial<TargetSample> = {}): TargetSample {
  const derived = SMALL_MAPPING.entities.map(
    ({ name }) => [name, { state: 'active', isDerived: true }] as const,
  );
  return {
    ...{ position: 4_000n as Lsn, heartbeatAtMs: 1_000, heartbeatDelayMs: 20 },
    ...{ tables: 4, loadedTables: 4, isConsistent: true },
    ...{ openJobs: 1, oldestJobSeconds: 5, unreadMessages: 2, entities: new Map(derived) },
    proofs: [{ proof: 'mirror', endedAtMs: 1_000, mismatches: 0 }],
    lists: [{ list: 'held', entity: 'office', rows: 2, oldestSeconds: 60 }],
    ...change,
  };
}

/** A look at a connector whose task is in that state. */
export function connectorSight(state: string, error: string | null = null): ConnectorSight {
  const task = { id: 0, state, worker: 'w:8083', error };
  const connector = { name: 'tandem', state: 'RUNNING', worker: 'w:8083', error: null };
  return { kind: 'there', status: { ...connector, tasks: [task] } };
}

/** A look at both databases at `atMs`. */
export function sampleAt(
  atMs: number,
  found: { readonly source?: Sample['source']; readonly target?: Sample['target'] } = {},
): Sample {
  const { source = { value: sourceSample() }, target = { value: targetSample() } } = found;
  return { atMs, source, target };
}

const ACCOUNT: EntityAccount = {
  ...{ entity: 'office', source: 'office', targets: ['offices'], state: 'active' },
  ...{ sourceRows: 10, applied: 6, held: 1, quarantined: 1, excluded: new Map([['test', 1]]) },
  ...{ unresolved: 0, issues: 0, notRemoved: 0, difference: 1 },
};

/** Facts that an event with a metric of its own may carry. */
const FACTS: Facts = {
  ...{ code: 'TARGET_BUSY', entity: 'office', roots: 7 },
  ...{ proof: 'mirror', subject: 'office', result: 'agrees', rows: 9, mismatches: 0 },
};

/** Every metric with a series. */
export function filledMetrics(mapping: Mapping = SMALL_MAPPING): Metrics {
  const metrics = createMetrics();
  const clock = { now: () => 60_000 };
  const heartbeats = new Heartbeats(true);
  const observer = measured(SILENT, { metrics, heartbeats, clock });
  observer.batch(REPORT);
  observer.progress('load', 'office', 5, 10);
  for (const name of Object.keys(EVENT_METRICS)) observer.event(name, FACTS);
  const budget = new WalBudget();
  const less = { value: sourceSample({ safeWalBytes: BigInt(60 * MB) }) };
  showSample(metrics, sampleAt(0), { mapping, budget });
  showSample(metrics, sampleAt(10_000, { source: less }), { mapping, budget });
  showAccount(metrics, [ACCOUNT], 60_000);
  showConnector(metrics, connectorSight('RUNNING'));
  const worst = { partition: 0, messagesBehind: 7 };
  showLogLag(metrics, [{ topic: 'tandem.public.office', messagesBehind: 9, worst }]);
  metrics.lagSeconds.set(1);
  return metrics;
}
