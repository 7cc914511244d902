import type { Context, Flags } from './command.ts';
import { textFlag } from './records/list-command.ts';
import { parseDuration } from './units.ts';

/**
 * How long `--timeout` says to wait, in milliseconds; null, after saying so, where it is wrong.
 *
 * @param otherwise where it is not given; null: for ever
 */
export function timeoutOf(context: Context, flags: Flags, otherwise: string | null): number | null {
  const text = textFlag(flags, 'timeout') ?? otherwise;
  const timeoutMs = text === null ? Infinity : parseDuration(text);
  if (timeoutMs === null) {
    context.notes.line(`error: --timeout ${text} is not a duration, for example 60s or 5m`);
  }
  return timeoutMs;
}
