import { withClient } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { TopicLag } from '../monitoring/log-lag.ts';
import { readTopicLags } from './log-state.ts';
import type { MonitorContext } from './monitor.ts';

const LOOK_MS = 10_000;

/**
 * Looks again and again, until `signal` aborts, how far the target is behind the log; null: it could
 * not be told, or the stream does not come through a log.
 */
export async function watchLogLag(
  { config, mapping, observer, clock }: MonitorContext,
  signal: AbortSignal,
  show: (topics: readonly TopicLag[] | null) => void,
): Promise<void> {
  const look = () =>
    withClient(config.target, 'log lag', (target) =>
      readTopicLags(target, config, mapping, observer),
    );
  while (!signal.aborted) {
    show(await look().catch(unknown));
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
  }
}

/** The stream itself says what is wrong. */
function unknown(error: unknown): null {
  if (error instanceof TandemError) return null;
  throw error;
}
