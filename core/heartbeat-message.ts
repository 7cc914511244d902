import type { Heartbeat } from './ports.ts';

/** Prefix of our heartbeats among the logical messages in the source's WAL. */
export const HEARTBEAT_PREFIX = 'tandem.heartbeat';

/** From `pg_logical_emit_message`. The content stays bytes: most of them are not ours. */
type LogicalMessage = { readonly prefix: string; readonly content: Buffer };

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
