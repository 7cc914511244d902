import type { ConnectRest } from '../connectors/debezium/connect-rest.ts';
import { failuresOf, type ConnectorStatus } from '../connectors/debezium/connector-status.ts';
import { TandemError } from '../core/errors.ts';

/** What a look at the connector has shown. */
export type ConnectorSight =
  | { readonly kind: 'there'; readonly status: ConnectorStatus }
  | { readonly kind: 'missing'; readonly name: string }
  /** Connect does not answer, or refuses: nothing is known. */
  | { readonly kind: 'unknown'; readonly name: string; readonly reason: string };

/** Looks at the connector. What goes wrong with the look is part of the answer. */
export async function lookAtConnector(rest: ConnectRest, name: string): Promise<ConnectorSight> {
  try {
    const status = await rest.status(name);
    return status === null ? { kind: 'missing', name } : { kind: 'there', status };
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    return { kind: 'unknown', name, reason: `${error.code} ${String(error.details['reason'])}` };
  }
}

/** One line for each part of the connector: `RUNNING`, `task 0 FAILED on w1:8083: …`. */
export function sightLines(sight: ConnectorSight): readonly string[] {
  switch (sight.kind) {
    case 'missing':
      return [`${sight.name}: not there; next: tandem connector deploy`];
    case 'unknown':
      return [`${sight.name}: ${sight.reason}`];
    case 'there': {
      const { name, state, worker, error, tasks } = sight.status;
      const next = failuresOf(sight.status).length > 0 ? '; next: tandem connector restart' : '';
      return [
        `${name}: ${state} on ${worker}${why(error)}${next}`,
        ...tasks.map(
          (task) => `task ${task.id}: ${task.state} on ${task.worker}${why(task.error)}`,
        ),
      ];
    }
  }
}

const why = (error: string | null) => (error === null ? '' : `: ${error}`);
