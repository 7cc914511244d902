import type { ConnectRest } from '../../connectors/debezium/connect-rest.ts';
import { failuresOf, isRunning } from '../../connectors/debezium/connector-status.ts';
import type { Clock, Observer } from '../../core/ports.ts';
import { lookAtConnector, type ConnectorSight } from '../../monitoring/connector-sight.ts';

type WatchOptions = {
  readonly rest: ConnectRest;
  readonly connector: string;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
};

type Told = {
  readonly event: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly facts: Readonly<Record<string, string>>;
};

/**
 * Looks at the connector again and again until `signal` aborts, and tells what has changed: who
 * reads its topics would only see that nothing comes. What goes wrong with a look is told too.
 */
export async function watchConnector(options: WatchOptions): Promise<void> {
  const { rest, connector, observer, clock, signal, everyMs = 10_000 } = options;
  let told = '';
  let before = '';
  while (!signal.aborted) {
    const news = newsOf(connector, await lookAtConnector(rest, connector));
    const key = JSON.stringify(news);
    // While the workers share out their work a task is unassigned for a moment: twice in a row counts.
    const isSettled = key === before || news.some(({ level }) => level === 'error');
    if (key !== told && isSettled && !signal.aborted) {
      for (const { event, facts, level } of news) observer.event(event, facts, level);
      told = key;
    }
    before = key;
    await clock.sleep(everyMs, signal);
  }
}

function newsOf(connector: string, sight: ConnectorSight): readonly Told[] {
  switch (sight.kind) {
    case 'unknown':
      return [
        { event: 'connector not seen', level: 'warn', facts: { connector, reason: sight.reason } },
      ];
    case 'missing':
      return [{ event: 'connector missing', level: 'error', facts: { connector } }];
    case 'there': {
      const failures = failuresOf(sight.status);
      if (failures.length > 0) {
        return failures.map(({ part, error }) => ({
          ...{ event: 'connector failed', level: 'error' as const },
          facts: { connector, part, error },
        }));
      }
      const { state, tasks } = sight.status;
      if (isRunning(sight.status)) {
        return [{ event: 'connector runs', level: 'info', facts: { connector } }];
      }
      const states = tasks.map((task) => task.state).join(' ');
      const facts = { connector, state, tasks: states };
      return [{ event: 'connector stands', level: 'warn', facts }];
    }
  }
}
