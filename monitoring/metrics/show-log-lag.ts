import type { TopicLag } from '../log-lag.ts';
import type { Metrics } from './metrics.ts';

/** Shows how far the target is behind each topic; null: nobody knows, or there is no log. */
export function showLogLag(metrics: Metrics, topics: readonly TopicLag[] | null): void {
  metrics.logMessagesBehind.forget();
  for (const { topic, messagesBehind } of topics ?? []) {
    metrics.logMessagesBehind.set(messagesBehind, { topic });
  }
}
