import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import type { Mapping } from '../../core/entity.ts';
import { countDeadLetters } from '../dead-letter-list.ts';
import { parseLsn, type Lsn } from '../../core/version.ts';

export const LISTS = ['held', 'unresolved', 'quarantine'] as const;
type List = (typeof LISTS)[number];
export const ENTITY_STATES = ['active', 'paused', 'stopped'] as const;

type ListSample = {
  readonly list: List;
  readonly entity: string;
  readonly rows: number;
  readonly oldestSeconds: number;
};

type ProofSample = {
  readonly proof: string;
  /** By the target's clock. */
  readonly endedAtMs: number;
  readonly mismatches: number;
};

/** What the target says at one moment. */
export type TargetSample = {
  readonly position: Lsn;
  /** Of the newest heartbeat: when it was sent, by the source's clock; null without any. */
  readonly heartbeatAtMs: number | null;
  readonly heartbeatDelayMs: number | null;
  readonly tables: number;
  readonly loadedTables: number;
  /** The stream has passed the place where the last chunk was read. */
  readonly isConsistent: boolean;
  readonly openJobs: number;
  readonly oldestJobSeconds: number | null;
  readonly lists: readonly ListSample[];
  /** Messages of a log that nobody could read. */
  readonly unreadMessages: number;
  /** The last full pass of the proof, whichever process made it. */
  readonly proofs: readonly ProofSample[];
  /** Those that the target has heard of. */
  readonly entities: ReadonlyMap<string, { readonly state: string; readonly isDerived: boolean }>;
};

/** Null where the stream is not set up. */
export async function sampleTarget(
  client: pg.ClientBase,
  stream: string,
): Promise<TargetSample | null> {
  const [there] = await textRows(client, `select to_regclass('tandem.position') is not null`);
  if (there?.[0] !== 't') return null;
  const [row] = await textRows(
    client,
    `select position, extract(epoch from heartbeat_at) * 1000, extract(epoch from heartbeat_lag) * 1000,
       (select count(*) from tandem.mirror), (select count(loaded_at) from tandem.mirror),
       (select coalesce(bool_and(loaded_at is not null and read_until <= position::pg_lsn), false)
        from tandem.mirror),
       (select count(*) from tandem.job),
       (select extract(epoch from clock_timestamp() - min(created_at)) from tandem.job)
     from tandem.position where stream = $1`,
    [stream],
  );
  if (row === undefined) return null;
  const [position, heartbeatAt, delay, tables, loaded, isConsistent, jobs, oldestJob] = row;
  const entities = await textRows(
    client,
    'select name, state, derived_at is not null from tandem.entity',
  );
  return {
    position: parseLsn(position ?? ''),
    heartbeatAtMs: numberOf(heartbeatAt),
    heartbeatDelayMs: numberOf(delay),
    tables: Number(tables),
    loadedTables: Number(loaded),
    isConsistent: isConsistent === 't',
    openJobs: Number(jobs),
    oldestJobSeconds: numberOf(oldestJob),
    lists: await sampleLists(client),
    unreadMessages: (await countDeadLetters(client)).rows,
    proofs: await sampleProofs(client),
    entities: new Map(
      entities.map(([name, state, isDerived]) => [
        name ?? '',
        { state: state ?? '', isDerived: isDerived === 't' },
      ]),
    ),
  };
}

async function sampleLists(client: pg.ClientBase): Promise<ListSample[]> {
  const rows = await textRows(
    client,
    LISTS.map(
      (list) =>
        `select '${list}', entity, count(*), extract(epoch from clock_timestamp() - min(first_seen_at))
         from tandem.${list} group by entity`,
    ).join(' union all '),
  );
  return rows.map(([list, entity, count, age]) => ({
    list: list as List,
    entity: entity ?? '',
    rows: Number(count),
    oldestSeconds: Number(age),
  }));
}

/** What `tandem verify` notes of a pass that left nothing out. An older target has no such table. */
async function sampleProofs(client: pg.ClientBase): Promise<ProofSample[]> {
  const [there] = await textRows(client, `select to_regclass('tandem.proof') is not null`);
  if (there?.[0] !== 't') return [];
  const rows = await textRows(
    client,
    `select part->>'proof', extract(epoch from finished_at) * 1000, part->>'mismatches'
     from (select finished_at, summary from tandem.proof
       where finished_at is not null and jsonb_array_length(summary->'full') > 0
       order by finished_at desc limit 1) as last, jsonb_array_elements(summary->'full') as part`,
  );
  return rows.map(([proof, endedAt, mismatches]) => ({
    proof: proof ?? '',
    endedAtMs: Number(endedAt),
    mismatches: Number(mismatches),
  }));
}

const numberOf = (text: string | null | undefined) => (text == null ? null : Number(text));

/** Entities that the backfill has still to derive. */
export function underived(mapping: Mapping, { entities }: TargetSample): readonly string[] {
  return mapping.entities
    .filter(({ kind, name }) => kind === 'derived' && entities.get(name)?.isDerived !== true)
    .map(({ name }) => name);
}
