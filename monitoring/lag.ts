import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import type { Mapping } from '../core/entity.ts';
import { readUsages } from '../core/usage.ts';

/** How far the target is behind the source. */
export type Lag = {
  /** Position committed in the target. */
  readonly position: string | null;
  /** From the source's WAL insert position back to `position`. */
  readonly bytes: number | null;
  /** Age of the newest heartbeat committed in the target, by the source's clock; null without any. */
  readonly seconds: number | null;
  /** How long that heartbeat took from the source's clock to the target's commit. */
  readonly lastDelaySeconds: number | null;
  /** When the target's position last moved. */
  readonly movedAt: string | null;
};

/** What the target knows, with where the source stands now. */
export async function readLag(
  source: pg.ClientBase,
  target: pg.ClientBase,
  stream: string,
): Promise<Lag> {
  const [stored] = await textRows(
    target,
    `select position, extract(epoch from heartbeat_at), extract(epoch from heartbeat_lag), updated_at
     from tandem.position where stream = $1`,
    [stream],
  );
  const position = stored?.[0] ?? null;
  const [now] = await textRows(
    source,
    `select extract(epoch from clock_timestamp()),
       case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end
         - $1::pg_lsn`,
    [position],
  );
  const beat = stored?.[1] ?? null;
  const delay = stored?.[2] ?? null;
  return {
    position,
    bytes: now?.[1] == null ? null : Math.max(0, Number(now[1])),
    seconds: beat === null ? null : Math.max(0, Number(now?.[0]) - Number(beat)),
    lastDelaySeconds: delay === null ? null : Number(delay),
    movedAt: stored?.[3] ?? null,
  };
}

/** What has to be there once the copy and the derive are complete. */
type Wanted = { readonly tables: readonly string[]; readonly entities: readonly string[] };

export function wantedOf(mapping: Mapping): Wanted {
  return {
    tables: [...readUsages(mapping).tables.keys()],
    entities: mapping.entities.filter(({ kind }) => kind === 'derived').map(({ name }) => name),
  };
}

/**
 * Whether the target has committed everything up to `lsn`, and nothing is open: neither a copy, nor
 * the derive of an entity, nor a job. The position alone does not say so: before the first stream it
 * is that of the slot, which may be younger than `lsn` while not a row has been copied.
 */
export async function hasCaughtUp(
  target: pg.ClientBase,
  stream: string,
  lsn: string,
  wanted: Wanted,
): Promise<boolean> {
  const [there] = await textRows(target, `select to_regclass('tandem.position') is not null`);
  if (there?.[0] !== 't') return false;
  const rows = await textRows(
    target,
    `select position from tandem.position where stream = $1 and position::pg_lsn >= $2::pg_lsn
       and not exists (select from tandem.job)
       and not exists (select from unnest($3::text[]) as wanted (name) where not exists (
         select from tandem.mirror where table_name = wanted.name and loaded_at is not null
           and coalesce(read_until <= position::pg_lsn, true)))
       and not exists (select from unnest($4::text[]) as wanted (name) where not exists (
         select from tandem.entity where name = wanted.name and derived_at is not null))`,
    [stream, lsn, wanted.tables, wanted.entities],
  );
  return rows.length > 0;
}
