import { collectDefaultMetrics, Counter, Registry } from 'prom-client';
import type { BatchReport } from '../../core/ports.ts';
import { parseLsn } from '../../core/version.ts';
import { MISNAMED } from './metrics.ts';
import { Reading } from './reading.ts';

type RelayMetrics = ReturnType<typeof relayMetrics>;

/** What the process shows that brings the slot into Kafka. docs/operations.md explains each one. */
export function createRelayMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return { registry, ...relayMetrics([registry]) };
}

function relayMetrics(registers: Registry[]) {
  return {
    changes: new Counter({
      name: 'tandem_relay_changes_total',
      help: 'Changes of the source that Kafka has acknowledged, by legacy table and operation',
      labelNames: ['table', 'operation'],
      registers,
    }),
    bytes: new Counter({
      name: 'tandem_relay_written_bytes_total',
      help: 'Keys, values and headers of the messages that Kafka has acknowledged, before compression',
      registers,
    }),
    interruptions: new Counter({
      name: 'tandem_relay_interruptions_total',
      help: 'Failures that the relay waited out and tried again, by error code',
      labelNames: ['code'],
      registers,
    }),
    position: new Reading({
      name: 'tandem_relay_position_bytes',
      help: 'Up to where Kafka has acknowledged the log of the source, as a number',
      registers,
    }),
    lagSeconds: new Reading({
      name: 'tandem_relay_lag_seconds',
      help: 'Age of the newest heartbeat that Kafka has acknowledged, by the clock of the source',
      registers,
    }),
    lagBytes: new Reading({
      name: 'tandem_relay_lag_bytes',
      help: 'From the end of the log of the source back to what Kafka has acknowledged',
      registers,
    }),
  };
}

/** Counts a batch that Kafka has acknowledged. */
export function countRelayed(metrics: RelayMetrics, report: BatchReport): void {
  metrics.bytes.inc(report.transactionsBytes);
  metrics.position.set(Number(parseLsn(report.position)));
  for (const [table, operations] of report.changesByTable) {
    for (const [operation, changes] of Object.entries(operations)) {
      metrics.changes.inc({ table, operation }, changes);
    }
  }
}
