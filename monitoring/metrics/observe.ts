import type { BatchReport, Clock, Observer } from '../../core/ports.ts';
import type { Heartbeats } from '../health/heartbeats.ts';
import { EVENT_METRICS } from './event-metrics.ts';
import type { Metrics } from './metrics.ts';

/** Stages of the backfill that count rows. */
const STAGES: ReadonlySet<string> = new Set(['load', 'derive']);

/** Hands on what it is told, and counts it: once a batch, an event or a chunk, never once a change. */
export function measured(
  observer: Observer,
  context: {
    readonly metrics: Metrics;
    readonly heartbeats: Heartbeats;
    readonly clock: Pick<Clock, 'now'>;
  },
): Observer {
  const { metrics, heartbeats, clock } = context;
  return {
    event(name, facts = {}, level = 'info') {
      observer.event(name, facts, level);
      if (name === 'heartbeat.off') heartbeats.turnOff();
      metrics.events.inc({ event: name, level });
      EVENT_METRICS[name]?.(metrics, { facts, nowMs: clock.now() });
    },
    progress(step, subject, done, total) {
      observer.progress(step, subject, done, total);
      if (!STAGES.has(step)) return;
      metrics.backfillDone.set(done, { stage: step, subject });
      metrics.backfillTotal.set(total, { stage: step, subject });
    },
    batch(report) {
      observer.batch(report);
      count(metrics, report);
      if (report.heartbeatLagMs === null) return;
      heartbeats.note(report.heartbeatLagMs, clock.now());
      metrics.heartbeatDelay.observe(report.heartbeatLagMs / 1000);
    },
  };
}

function count(metrics: Metrics, report: BatchReport): void {
  metrics.batches.inc();
  // An idle source sends positions: they would bury the batches that do something.
  if (report.events === 0) return;
  metrics.batchChanges.observe(report.events);
  for (const [phase, ms] of Object.entries(report.phaseMs)) {
    metrics.phaseSeconds.observe({ phase }, ms / 1000);
  }
  for (const [table, operations] of report.changesByTable) {
    for (const [operation, changes] of Object.entries(operations)) {
      metrics.changes.inc({ table, operation }, changes);
    }
  }
  for (const [entity, outcomes] of report.rowsByEntity) {
    for (const [outcome, rows] of Object.entries(outcomes)) {
      metrics.rows.inc({ entity, outcome }, rows);
    }
  }
}
