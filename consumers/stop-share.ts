import type pg from 'pg';
import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Observer } from '../core/ports.ts';
import { rootTable } from './affected.ts';
import { setEntityState } from './entity-state.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model } from './model.ts';

/** So many refused rows are never too many. */
export const TOLERATED = 50;

/**
 * Why an entity has to stop: more than a share of its roots is in quarantine, which is a broken
 * mapping and not broken data. Null: it goes on.
 */
export async function reasonToStop(
  client: pg.ClientBase,
  model: Model,
  entity: string,
  stopShare: number,
): Promise<string | null> {
  const [row] = await preparedRows(
    client,
    `select (select count(*) from tandem.quarantine where entity = $1),
       greatest((select reltuples from pg_class where oid = $2::regclass), 0)`,
    [entity, mirrorName(rootTable(model, entity))],
  );
  const quarantined = Number(row?.[0] ?? 0);
  const limit = Math.max(TOLERATED, Number(row?.[1] ?? 0) * stopShare);
  return quarantined > limit ? `${quarantined} roots in quarantine` : null;
}

/** Stops an entity, and says so. */
export async function stopEntity(
  client: pg.ClientBase,
  observer: Observer,
  entity: string,
  reason: string,
): Promise<void> {
  await setEntityState(client, entity, 'stopped', reason);
  const { hint } = new TandemError('ENTITY_STOPPED');
  observer.event('entity stopped', { entity, reason, hint }, 'error');
}
