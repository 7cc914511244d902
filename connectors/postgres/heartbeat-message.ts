import type { Heartbeat } from '../../core/ports.ts';
import type { LogicalMessage } from './pgoutput/messages.ts';

/** Prefix of our messages in the source's WAL. */
export const HEARTBEAT_PREFIX = 'tandem.heartbeat';

/** Logical messages reach pgoutput since PostgreSQL 14. */
export const MESSAGES_SINCE = 140_000;

/** SQL that yields the content: `{"at":"1735787045678"}`, by the clock of the source. */
export const HEARTBEAT_CONTENT = `json_build_object('at',
  (extract(epoch from clock_timestamp()) * 1000)::bigint::text)::text`;

/** The heartbeat that a logical message carries, or null: others write messages too. */
export function heartbeatOf({ prefix, content }: LogicalMessage): Heartbeat | null {
  if (prefix !== HEARTBEAT_PREFIX || content.length > 200) return null;
  try {
    const parsed: unknown = JSON.parse(content.toString('utf8'));
    const at = parsed !== null && typeof parsed === 'object' && 'at' in parsed ? parsed.at : null;
    const sentAtMs = typeof at === 'string' ? Number(at) : NaN;
    return Number.isSafeInteger(sentAtMs) ? { sentAtMs } : null;
  } catch {
    return null;
  }
}
