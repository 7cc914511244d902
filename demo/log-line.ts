/** A line of the commands' JSON log. */
type LogLine = {
  readonly level: string;
  readonly event: string;
  readonly facts: Readonly<Record<string, unknown>>;
};

/** Null for what is no such line: an error message is plain text. */
export function parseLogLine(line: string): LogLine | null {
  if (!line.startsWith('{')) return null;
  try {
    const { level, event, time: _time, ...facts } = JSON.parse(line) as Record<string, unknown>;
    return typeof level === 'string' && typeof event === 'string' ? { level, event, facts } : null;
  } catch {
    return null;
  }
}

/** `interrupted attempt=1 retryInMs=250`, as the readable log has it. */
export function logText({ event, facts }: LogLine): string {
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${String(value)}`);
  return [event, ...shown].join(' ');
}
