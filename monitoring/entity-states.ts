import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';

/** An entity that is not derived at present; its mirror tables go on. */
export type InactiveEntity = {
  readonly entity: string;
  readonly state: 'paused' | 'stopped';
  readonly reason: string | null;
  readonly since: string;
};

export async function inactiveEntities(target: pg.ClientBase): Promise<readonly InactiveEntity[]> {
  const rows = await textRows(
    target,
    `select name, state, reason, to_json(since) #>> '{}' from tandem.entity
     where state <> 'active' order by name`,
  );
  return rows.map(([entity, state, reason, since]) => ({
    entity: entity ?? '',
    state: state === 'paused' ? 'paused' : 'stopped',
    reason: reason ?? null,
    since: since ?? '',
  }));
}

/** An entity with rows of another mapping than the one that derives now. */
export type ChangedMapping = { readonly entity: string; readonly since: string };

export async function changedMappings(target: pg.ClientBase): Promise<readonly ChangedMapping[]> {
  const rows = await textRows(
    target,
    `select name, to_json(mapping_since) #>> '{}' from tandem.entity
     where running_with is not null and derived_with is null and derived_at is not null order by name`,
  );
  return rows.map(([entity, since]) => ({ entity: entity ?? '', since: since ?? '' }));
}
