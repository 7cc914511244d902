import type { Mapping } from '../core/entity.ts';
import type { ChangeSource, Clock, Observer } from '../core/ports.ts';
import type { Config } from './config.ts';

/** What a command reports to, so that its numbers can be looked at. */
export type Watched = {
  readonly observer: Observer;
  /** Put around the source of a stream. */
  readonly watch: (source: ChangeSource) => ChangeSource;
};

/**
 * Does `work` with `/metrics`, `/healthz` and `/readyz` beside it, where METRICS_PORT asks for them.
 *
 * @throws TandemError `PORT_UNAVAILABLE` before any work is done
 */
export async function withMetrics<T>(
  context: {
    readonly config: Config;
    readonly mapping: Mapping;
    readonly observer: Observer;
    readonly clock: Clock;
  },
  work: (watched: Watched) => Promise<T>,
): Promise<T> {
  const { metricsPort: port } = context.config;
  if (port === null) return work({ observer: context.observer, watch: (source) => source });
  const { startMonitor } = await import('./monitor.ts');
  const monitor = await startMonitor(context, port);
  try {
    return await work(monitor.watched);
  } finally {
    await monitor.close();
  }
}
