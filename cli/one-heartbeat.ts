import type pg from 'pg';
import { beat } from '../connectors/postgres/heartbeat.ts';
import { identifySource } from '../connectors/postgres/source-identity.ts';

/** Writes one heartbeat where the role may; where not, keepalives move the position, later. */
export async function runOneHeartbeat(source: pg.Client): Promise<void> {
  try {
    const { serverVersion, isInRecovery } = await identifySource(source);
    if (!isInRecovery) await beat(source, serverVersion);
  } catch {
    return;
  }
}
