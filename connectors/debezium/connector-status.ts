/** Connect's words; others may come with newer versions. */
type ConnectorState = string;

type TaskStatus = {
  readonly id: number;
  readonly state: ConnectorState;
  readonly worker: string;
  /** Null: it has not failed. */
  readonly error: string | null;
};

/** What Connect says of a connector. */
export type ConnectorStatus = {
  readonly name: string;
  readonly state: ConnectorState;
  readonly worker: string;
  readonly error: string | null;
  readonly tasks: readonly TaskStatus[];
};

/** Reads the answer of `/status`; null for what is none. */
export function statusOf(body: unknown): ConnectorStatus | null {
  if (!isRecord(body) || !isRecord(body['connector'])) return null;
  const tasks: readonly unknown[] = Array.isArray(body['tasks']) ? body['tasks'] : [];
  return {
    name: String(body['name']),
    ...part(body['connector']),
    tasks: tasks.filter(isRecord).map((task) => ({ id: Number(task['id']), ...part(task) })),
  };
}

function part(found: Readonly<Record<string, unknown>>) {
  const { state, worker_id: worker, trace } = found;
  return {
    state: String(state),
    worker: typeof worker === 'string' ? worker : '',
    error: typeof trace === 'string' ? causeOf(trace) : null,
  };
}

/**
 * The innermost cause of a Java stack trace, in one line. What a message quotes of rows is left out:
 * PostgreSQL and Debezium put values behind `Detail:` and into braces.
 */
export function causeOf(trace: string): string {
  const causes = trace.split('\n').filter((line) => line.startsWith('Caused by: '));
  const line = causes.at(-1)?.slice('Caused by: '.length) ?? trace.split('\n')[0] ?? '';
  const message = line
    .replace(/^(?:[\w$]+\.)+([\w$]+)(: |$)/, '$1$2')
    .replace(/\s*(?:Detail|Where): .*$/, '')
    .replaceAll(/(?:Struct)?\{[^{}]*\}|\[[^\][]*=[^\][]*\]/g, '{…}');
  return message.replaceAll(/\s+/g, ' ').slice(0, 300).trim();
}

/** All of it that has failed: `connector` or `task 0`, and why. */
export function failuresOf(status: ConnectorStatus): readonly { part: string; error: string }[] {
  const all = [
    { part: 'connector', state: status.state, error: status.error },
    ...status.tasks.map(({ id, state, error }) => ({ part: `task ${id}`, state, error })),
  ];
  return all
    .filter(({ state }) => state === 'FAILED')
    .map(({ part: name, error }) => ({ part: name, error: error ?? 'without a reason' }));
}

/** The connector and at least one task are at work. */
export function isRunning({ state, tasks }: ConnectorStatus): boolean {
  return state === 'RUNNING' && tasks.length > 0 && tasks.every((task) => task.state === 'RUNNING');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
