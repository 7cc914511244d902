import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countRelayed, createRelayMetrics } from '../../monitoring/metrics/relay-metrics.ts';
import { REPORT } from '../harness/filled-metrics.ts';

const MANUAL = join(import.meta.dirname, '..', '..', 'docs', 'operations.md');

test('the manual explains every metric of the relay, and no other', async () => {
  const page = readFileSync(MANUAL, 'utf8');
  const table = /(?:^\|.*\n)+/m.exec(page.slice(page.indexOf('<!-- relay metrics -->')))?.[0] ?? '';
  const explained = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  const declared = await createRelayMetrics().registry.getMetricsAsJSON();
  const ours = declared.map(({ name }) => name).filter((name) => name.startsWith('tandem_'));
  expect(explained).toEqual(ours);
});

test('a batch that Kafka has acknowledged is counted by table and operation', async () => {
  const metrics = createRelayMetrics();
  countRelayed(metrics, REPORT);
  const text = await metrics.registry.metrics();
  expect(text).toContain('tandem_relay_changes_total{table="office",operation="create"} 2');
  expect(text).toContain('tandem_relay_changes_total{table="office",operation="delete"} 1');
  expect(text).toContain('tandem_relay_written_bytes_total 300');
  expect(text).toContain('tandem_relay_position_bytes 1');
});
