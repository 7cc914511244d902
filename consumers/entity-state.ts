import type pg from 'pg';
import { execute, textRows } from '../connectors/postgres/connection.ts';

/** `paused` by a person, `stopped` because too many of its rows were refused. */
export type EntityState = 'active' | 'paused' | 'stopped';

/** Which entities are not derived at present; their mirror tables go on. */
export async function inactiveEntities(client: pg.ClientBase): Promise<Map<string, EntityState>> {
  const rows = await textRows(
    client,
    `select name, state from tandem.entity where state <> 'active'`,
  );
  return new Map(rows.map((row) => [row[0] ?? '', (row[1] ?? 'stopped') as EntityState]));
}

export async function setEntityState(
  client: pg.ClientBase,
  entity: string,
  state: EntityState,
  reason: string | null,
): Promise<void> {
  await execute(
    client,
    `insert into tandem.entity (name, state, reason) values ($1, $2, $3)
     on conflict (name) do update set state = excluded.state, reason = excluded.reason,
       waits_for = null, since = now()`,
    [entity, state, reason],
  );
}
