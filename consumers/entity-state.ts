import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { addJob } from './jobs.ts';

/** `paused` by a person, `stopped` because too many of its rows were refused. */
type EntityState = 'active' | 'paused' | 'stopped';

/** By entity that is not derived at present, its state; their mirror tables go on. */
export async function inactiveStates(client: pg.ClientBase): Promise<Map<string, EntityState>> {
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

/**
 * Pauses entities that are active; returns which. No transaction that begins after this one has
 * committed derives them: each one's first statement waits for the lock on the position, and looks
 * behind it. One that is at work is waited for.
 */
export async function pauseEntities(
  client: pg.ClientBase,
  entities: readonly string[],
  reason: string | null,
): Promise<readonly string[]> {
  return await betweenBatches(client, async () => {
    const rows = await textRows(
      client,
      `insert into tandem.entity as known (name, state, reason)
       select unnest($1::text[]), 'paused', $2
       on conflict (name) do update set state = 'paused', reason = $2, since = now()
         where known.state = 'active'
       returning name`,
      [arrayLiteral(entities), reason],
    );
    return rows.map((row) => row[0] ?? '');
  });
}

/** Entities that go on, and the jobs that bring what they missed. */
type Resumed = { readonly entities: readonly string[]; readonly jobs: readonly string[] };

/**
 * Sets entities going again that are not active; those given first are derived first. Each gets a
 * job for all its roots: what it missed cannot be told from the mirror, which does not know who a
 * row belonged to before. Jobs that it had left are part of that. One that waits for a table goes on
 * with that table, and not before.
 */
export async function resumeEntities(
  client: pg.ClientBase,
  entities: readonly string[],
): Promise<Resumed> {
  return await betweenBatches(client, async () => {
    const rows = await textRows(
      client,
      `update tandem.entity set state = 'active', reason = null, since = now()
       where name = any($1::text[]) and state <> 'active' and waits_for is null returning name`,
      [arrayLiteral(entities)],
    );
    const inactive = new Set(rows.map((row) => row[0]));
    const resumed = entities.filter((entity) => inactive.has(entity));
    await execute(client, 'delete from tandem.job where entity = any($1::text[])', [
      arrayLiteral(resumed),
    ]);
    const jobs: string[] = [];
    for (const entity of resumed) {
      jobs.push(await addJob(client, { entity, usage: null, values: null, reason: 'resumed' }));
    }
    return { entities: resumed, jobs };
  });
}

/** Runs `work` in a transaction while no other one of ours that writes is open. */
async function betweenBatches<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  return await inTransaction(client, async () => {
    await execute(client, 'select from tandem.position order by stream for update');
    return await work();
  });
}
