import { expect, test } from 'vitest';
import { TandemError } from '../../core/errors.ts';
import type { BatchReport, Observer } from '../../core/ports.ts';
import { Heartbeats } from '../../monitoring/health/heartbeats.ts';
import { createMetrics, type Metrics } from '../../monitoring/metrics/metrics.ts';
import { measured } from '../../monitoring/metrics/observe.ts';
import { showAccount, showSample } from '../../monitoring/metrics/show-sample.ts';
import { WalBudget } from '../../monitoring/sample/wal-budget.ts';
import { REPORT, sampleAt, SILENT, sourceSample, targetSample } from '../harness/filled-metrics.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';

const series = async (metrics: Metrics, name: string) =>
  (await metrics.registry.metrics())
    .split('\n')
    .filter((line) => new RegExp(`^${name}[{ ]`).test(line));

function watched(heartbeats = new Heartbeats(true), observer: Observer = SILENT) {
  const metrics = createMetrics();
  const clock = { now: () => 1_000_000 };
  return { metrics, heartbeats, observer: measured(observer, { metrics, heartbeats, clock }) };
}

test('a batch is counted by table and operation, by entity and outcome, and by phase', async () => {
  const { metrics, observer, heartbeats } = watched();
  observer.batch(REPORT);
  observer.batch(REPORT);
  expect(await series(metrics, 'tandem_changes_total')).toEqual([
    'tandem_changes_total{table="office",operation="create"} 4',
    'tandem_changes_total{table="office",operation="delete"} 2',
  ]);
  expect(await series(metrics, 'tandem_rows_total')).toEqual([
    'tandem_rows_total{entity="office",outcome="applied"} 4',
    'tandem_rows_total{entity="office",outcome="removed"} 2',
  ]);
  expect(await series(metrics, 'tandem_batch_phase_seconds_count')).toEqual([
    'tandem_batch_phase_seconds_count{phase="merge"} 2',
    'tandem_batch_phase_seconds_count{phase="commit"} 2',
  ]);
  expect(heartbeats.age(1_000_005)).toBe(25);
});

test('a batch that carries a position alone is counted, and hides no others', async () => {
  const { metrics, observer } = watched();
  const empty = { events: 0, changesByTable: new Map(), rowsByEntity: new Map() };
  observer.batch({ ...REPORT, ...empty } satisfies BatchReport);
  expect(await series(metrics, 'tandem_batches_total')).toEqual(['tandem_batches_total 1']);
  expect(await series(metrics, 'tandem_batch_changes_count')).toEqual([
    'tandem_batch_changes_count 0',
  ]);
});

test('whatever is told is handed on, and interruptions are counted by code', async () => {
  const told: string[] = [];
  const note =
    (kind: string) =>
    (...what: readonly unknown[]) =>
      void told.push([kind, ...what.filter((part) => typeof part !== 'object')].join(' '));
  const other = { event: note('event'), progress: note('progress'), batch: note('batch') };
  const { metrics, observer } = watched(new Heartbeats(true), other);
  observer.event('interrupted', { code: 'TARGET_BUSY', attempt: 1 }, 'warn');
  observer.progress('load', 'office', 1, 2);
  observer.batch(REPORT);
  expect(told).toEqual(['event interrupted warn', 'progress load office 1 2', 'batch']);
  expect(await series(metrics, 'tandem_interruptions_total')).toEqual([
    'tandem_interruptions_total{code="TARGET_BUSY"} 1',
  ]);
  expect(await series(metrics, 'tandem_events_total')).toEqual([
    'tandem_events_total{event="interrupted",level="warn"} 1',
  ]);
});

test('the backfill counts rows, and an estimated total ends as what it was', async () => {
  const { metrics, observer } = watched();
  observer.progress('derive', 'office', 90, 100);
  observer.progress('jobs', 'open', 1, 2);
  observer.event('derived', { entity: 'office', roots: 93 });
  expect(await series(metrics, 'tandem_backfill_(done|total)_rows')).toEqual([
    'tandem_backfill_done_rows{stage="derive",subject="office"} 93',
    'tandem_backfill_total_rows{stage="derive",subject="office"} 93',
  ]);
});

test('where heartbeats turn out to be impossible their age is no longer told', () => {
  const { observer, heartbeats } = watched();
  observer.batch(REPORT);
  observer.event('heartbeat.off', { code: 'PRIVILEGE_MISSING' }, 'warn');
  expect(heartbeats.age(2_000_000)).toBeNull();
  expect(heartbeats.areSent).toBe(false);
});

test('a look at both databases is shown, and what cannot be asked any more is unknown', async () => {
  const metrics = createMetrics();
  const context = { mapping: SMALL_MAPPING, budget: new WalBudget() };
  const ours = async () => {
    const text = await metrics.registry.metrics();
    return (name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  };
  showSample(metrics, sampleAt(0), context);
  const before = await ours();
  expect(before('tandem_lag_bytes')).toBe('1000');
  expect(before('tandem_database_up{side="source"}')).toBe('1');
  expect(before('tandem_slot_state{state="active"}')).toBe('1');
  expect(before('tandem_slot_state{state="lost"}')).toBe('0');
  expect(before('tandem_slot_budget_left_bytes')).toBe(String(64 * 1024 * 1024));
  expect(before('tandem_waiting_rows{list="held",entity="office"}')).toBe('2');
  expect(before('tandem_waiting_rows{list="quarantine",entity="office"}')).toBe('0');
  expect(before('tandem_waiting_oldest_seconds{list="held"}')).toBe('60');
  expect(before('tandem_waiting_oldest_seconds{list="quarantine"}')).toBeUndefined();

  const failure = new TandemError('SOURCE_UNREACHABLE');
  showSample(metrics, sampleAt(5_000, { source: { failure } }), context);
  const without = await ours();
  expect(without('tandem_database_up{side="source"}')).toBe('0');
  expect(without('tandem_lag_bytes')).toBeUndefined();
  expect(without('tandem_slot_retained_bytes')).toBeUndefined();
  expect(without('tandem_slot_state{state="active"}')).toBeUndefined();
  expect(without('tandem_open_jobs')).toBe('1');

  const target = { failure: new TandemError('TARGET_UNREACHABLE') };
  showSample(metrics, sampleAt(10_000, { target }), context);
  const neither = await ours();
  expect(neither('tandem_open_jobs')).toBeUndefined();
  expect(neither('tandem_waiting_rows{list="held",entity="office"}')).toBeUndefined();
  expect(neither('tandem_slot_retained_bytes')).toBe(String(1024 * 1024));
});

test.each([
  ['lost', { walStatus: 'lost', safeWalBytes: null }, '0'],
  ['idle', { isActive: false }, String(64 * 1024 * 1024)],
  ['active', { safeWalBytes: null }, undefined],
])('a slot that is %s is shown as such, with what is left', async (state, change, left) => {
  const metrics = createMetrics();
  const source = { value: sourceSample(change) };
  showSample(metrics, sampleAt(0, { source }), {
    mapping: SMALL_MAPPING,
    budget: new WalBudget(),
  });
  expect(await series(metrics, `tandem_slot_state`)).toContain(
    `tandem_slot_state{state="${state}"} 1`,
  );
  const shown = await series(metrics, 'tandem_slot_budget_left_bytes');
  expect(shown).toEqual(left === undefined ? [] : [`tandem_slot_budget_left_bytes ${left}`]);
});

test('an entity that is paused or stopped is shown in that state alone', async () => {
  const metrics = createMetrics();
  const { entities } = targetSample();
  const stopped = new Map([...entities, ['office', { state: 'stopped', isDerived: true }]]);
  const target = { value: targetSample({ entities: stopped }) };
  showSample(metrics, sampleAt(0, { target }), {
    mapping: SMALL_MAPPING,
    budget: new WalBudget(),
  });
  const shown = await series(metrics, 'tandem_entity_state');
  expect(shown.filter((line) => line.includes('"office"'))).toEqual([
    'tandem_entity_state{entity="office",state="active"} 0',
    'tandem_entity_state{entity="office",state="paused"} 0',
    'tandem_entity_state{entity="office",state="stopped"} 1',
  ]);
});

test('an entity that left the account leaves the metrics', async () => {
  const metrics = createMetrics();
  const counted = (entity: string) => ({
    ...{ entity, source: entity, targets: [], state: 'active' as const, sourceRows: 3 },
    ...{ applied: 1, held: 1, quarantined: 0, excluded: new Map([['a', 1]]) },
    ...{ unresolved: 0, issues: 0, notRemoved: 0, difference: 0 },
  });
  showAccount(metrics, [counted('one'), counted('two')], 5_000);
  showAccount(metrics, [counted('two')], 6_000);
  expect(await series(metrics, 'tandem_account_rows')).toEqual([
    'tandem_account_rows{entity="two",outcome="source"} 3',
    'tandem_account_rows{entity="two",outcome="applied"} 1',
    'tandem_account_rows{entity="two",outcome="held"} 1',
    'tandem_account_rows{entity="two",outcome="quarantined"} 0',
    'tandem_account_rows{entity="two",outcome="excluded"} 1',
  ]);
  expect(await series(metrics, 'tandem_account_timestamp_seconds')).toEqual([
    'tandem_account_timestamp_seconds 6',
  ]);
});
