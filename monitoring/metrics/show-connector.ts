import type { ConnectorSight } from '../connector-sight.ts';
import type { Metrics } from './metrics.ts';

/** Connect's words in lower case, and ours for what it cannot say. */
const CONNECTOR_STATES = [
  ...['running', 'paused', 'stopped', 'failed', 'unassigned', 'restarting'],
  ...['missing', 'unknown'],
] as const;

/** Shows what a look at the connector has found. Where Connect does not answer, its tasks are unknown. */
export function showConnector(metrics: Metrics, sight: ConnectorSight): void {
  metrics.connectorTaskState.forget();
  const there = sight.kind === 'there' ? sight.status : null;
  const present = there === null ? sight.kind : wordOf(there.state);
  for (const state of CONNECTOR_STATES) {
    metrics.connectorState.set(state === present ? 1 : 0, { state });
  }
  for (const task of there?.tasks ?? []) {
    const is = wordOf(task.state);
    for (const state of CONNECTOR_STATES) {
      if (state === 'missing') continue;
      metrics.connectorTaskState.set(state === is ? 1 : 0, { task: String(task.id), state });
    }
  }
}

/** A newer Connect may have more words. */
function wordOf(state: string): (typeof CONNECTOR_STATES)[number] {
  return CONNECTOR_STATES.find((known) => known === state.toLowerCase()) ?? 'unknown';
}
