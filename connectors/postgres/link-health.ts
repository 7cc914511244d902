/** What is known of a replication connection. */
type LinkFacts = {
  /** Time since anything was received; null while we do not read. */
  readonly silentMs: number | null;
  /** The server's `wal_sender_timeout`; 0 where it has none. */
  readonly serverTimeoutMs: number;
};

/** Never give up on a server earlier: it may be reading WAL that holds nothing for us. */
const PATIENCE_MS = 60_000;

/**
 * Whether to ask a silent server for an answer, or to give it up. An idle server speaks every half
 * `wal_sender_timeout`; a dead one, or a network that drops packets, closes nothing.
 */
export function judgeLink({ silentMs, serverTimeoutMs }: LinkFacts): 'fine' | 'ask' | 'dead' {
  if (silentMs === null) return 'fine';
  const patienceMs = Math.max(PATIENCE_MS, 2 * serverTimeoutMs);
  if (silentMs > patienceMs) return 'dead';
  return silentMs > patienceMs / 4 ? 'ask' : 'fine';
}

/** How often to tell the server that we live: well before it would end the connection. */
export function statusIntervalMs(wantedMs: number, serverTimeoutMs: number): number {
  return serverTimeoutMs > 0 ? Math.min(wantedMs, Math.max(100, serverTimeoutMs / 4)) : wantedMs;
}
