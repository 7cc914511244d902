import type pg from 'pg';
import { placeBefore } from '../consumers/moments.ts';
import { parseLsn, type Lsn } from '../core/version.ts';
import { parseSince } from './records/list-command.ts';

/** What may be given as `--since`: a place in the log of the source, or a time by its clock. */
export type Since =
  { readonly kind: 'place'; readonly lsn: Lsn } | { readonly kind: 'time'; readonly at: Date };

export const SINCE_HELP = 'a place in the log of the source, or a time: 2026-01-31T08:00Z, 24h';

/** Null: it is neither. */
export function readSince(text: string, nowMs: number): Since | null {
  try {
    return { kind: 'place', lsn: parseLsn(text) };
  } catch {
    const time = parseSince(text, nowMs);
    return time === null ? null : { kind: 'time', at: new Date(time) };
  }
}

/**
 * From where on a version of a row says that it has changed since.
 *
 * @throws TandemError `TIME_UNKNOWN`
 */
export async function placeOfSince(
  target: pg.ClientBase,
  stream: string,
  since: Since,
): Promise<Lsn> {
  return since.kind === 'place' ? since.lsn : await placeBefore(target, stream, since.at);
}
