import type pg from 'pg';
import { HEARTBEAT_PREFIX } from '../../core/heartbeat-message.ts';
import type { Clock, Observer } from '../../core/ports.ts';
import { backoffMs } from './backoff.ts';
import { openClient, statementError, textRows, type Database } from './connection.ts';
import { HEARTBEAT_CONTENT, MESSAGES_SINCE } from './heartbeat-message.ts';

type HeartbeatOptions = {
  readonly database: Database;
  readonly intervalMs: number;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** Since PostgreSQL 17 a message can be flushed at once; before, the WAL writer does it in 200 ms. */
const FLUSH_SINCE = 170_000;

/**
 * Writes heartbeats into the source's WAL until `signal` aborts. Reconnects by itself; says so once
 * per outage. Returns early, after one event, where heartbeats can never work: the server is older
 * than PostgreSQL 14, or the role may not write them.
 */
export async function runHeartbeat(options: HeartbeatOptions): Promise<void> {
  const { clock, observer, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const impossible = await beatUntilFailure(options, () => {
        if (failures > 0) observer.event('heartbeat.resumed', { failures });
        failures = 0;
      });
      if (impossible !== null) observer.event('heartbeat.off', { reason: impossible }, 'warn');
      return;
    } catch (error) {
      if (signal.aborted) return;
      const { code } = statementError('source', error, 'heartbeat');
      if (code === 'PRIVILEGE_MISSING') return observer.event('heartbeat.off', { code }, 'warn');
      failures++;
      if (failures === 1) observer.event('heartbeat.failed', { code }, 'warn');
      await clock.sleep(backoffMs(failures, Math.random()), signal).catch(() => undefined);
    }
  }
}

/** Why heartbeats cannot work here, or null when it was told to stop. Throws on a failure. */
async function beatUntilFailure(
  { database, intervalMs, clock, signal }: HeartbeatOptions,
  onBeat: () => void,
): Promise<string | null> {
  const client = await openClient(database, 'heartbeat');
  const stop = () => void client.end();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [facts = []] = await textRows(
      client,
      `select current_setting('server_version_num'), pg_is_in_recovery()`,
    );
    const version = Number(facts[0]);
    if (version < MESSAGES_SINCE) return 'the server is older than PostgreSQL 14';
    if (facts[1] === 't') return 'the server is a standby';
    while (!signal.aborted) {
      await beat(client, version);
      onBeat();
      await clock.sleep(intervalMs, signal).catch(() => undefined);
    }
    return null;
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end();
  }
}

/** Writes one heartbeat: outside of a transaction's outcome, so it holds nothing up. */
export async function beat(client: pg.ClientBase, serverVersion: number): Promise<void> {
  const flush = serverVersion >= FLUSH_SINCE ? ', true' : '';
  const content = HEARTBEAT_CONTENT;
  try {
    await textRows(
      client,
      `select pg_logical_emit_message(false, '${HEARTBEAT_PREFIX}', ${content}${flush})`,
    );
  } catch (error) {
    throw statementError('source', error, 'heartbeat');
  }
}
