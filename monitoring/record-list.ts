import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { inSnapshot } from '../connectors/postgres/transaction.ts';

/** The lists of what was not simply applied, as `tandem quarantine`, `held` and so on show them. */
export const RECORD_LISTS = ['quarantine', 'held', 'unresolved', 'issues', 'accepted'] as const;
export type RecordListName = (typeof RECORD_LISTS)[number];

/** What to list; null: everything. */
type RecordFilter = {
  readonly entity: string | null;
  /** Exactly one of the names that the list's reasons consist of. */
  readonly reason: string | null;
  /** First seen at or after that: timestamptz text. */
  readonly since: string | null;
  readonly limit: number;
};

type RecordCount = {
  readonly entity: string;
  readonly reason: string;
  readonly rows: number;
};

/** One entry. Names, keys and times, never a value of the row. */
export type RecordRow = {
  readonly entity: string;
  /** Empty for an issue that is about a value, not a row. */
  readonly key: string;
  readonly reason: string;
  /** The key of the parent that is missing. */
  readonly parentKey: string | null;
  readonly attempts: number | null;
  readonly since: string;
  readonly ageSeconds: number;
  /** Who has accepted it, and why. */
  readonly acceptedBy: string | null;
  readonly note: string | null;
};

export type RecordList = {
  /** By reason, the most first. */
  readonly counts: readonly RecordCount[];
  readonly total: number;
  /** The oldest first, at most `limit`. */
  readonly rows: readonly RecordRow[];
};

/** How a list is read: `reason` is SQL, `names` the columns that a filter may name. */
type Source = {
  readonly table: string;
  readonly reason: string;
  readonly names: readonly string[];
  readonly since: string;
  readonly parentKey: string;
  readonly attempts: string;
  readonly acceptedBy: string;
  readonly note: string;
};

const PLAIN = {
  since: 'first_seen_at',
  parentKey: 'null',
  attempts: 'null',
  acceptedBy: 'null',
  note: 'null',
};
const REFERENCE = {
  ...PLAIN,
  reason: `target_column || ' -> ' || parent_entity`,
  names: ['target_column', 'parent_entity', 'parent_table'],
  parentKey: 'parent_key',
};
const REFUSED = {
  ...PLAIN,
  reason: 'error_class',
  names: ['error_class'],
  attempts: 'attempts',
};
const SOURCES: Readonly<Record<RecordListName, Source>> = {
  quarantine: { ...REFUSED, table: 'quarantine' },
  accepted: {
    ...REFUSED,
    table: 'accepted',
    since: 'accepted_at',
    acceptedBy: 'accepted_by',
    note: 'reason',
  },
  held: { ...REFERENCE, table: 'held' },
  unresolved: { ...REFERENCE, table: 'unresolved' },
  issues: {
    ...PLAIN,
    table: 'issue',
    reason: `target_column || ': ' || reason`,
    names: ['target_column', 'reason'],
  },
};

/** Counts and rows of a list, in one snapshot. */
export async function readRecords(
  client: pg.ClientBase,
  list: RecordListName,
  { entity, reason, since, limit }: RecordFilter,
): Promise<RecordList> {
  const source = SOURCES[list];
  const where = `($1::text is null or entity = $1)
    and ($2::text is null or $2 in (${source.names.join(', ')}))
    and ($3::timestamptz is null or ${source.since} >= $3)`;
  return await inSnapshot(client, async () => {
    const counts = await textRows(
      client,
      `select entity, ${source.reason}, count(*) from tandem.${source.table} where ${where}
       group by 1, 2 order by 3 desc, 1, 2`,
      [entity, reason, since],
    );
    const rows = await textRows(
      client,
      `select entity, root_key, ${source.reason}, ${source.parentKey}, ${source.attempts},
         to_json(${source.since}) #>> '{}',
         extract(epoch from clock_timestamp() - ${source.since}), ${source.acceptedBy}, ${source.note}
       from tandem.${source.table} where ${where}
       order by ${source.since}, entity, root_key, 3 limit $4`,
      [entity, reason, since, limit],
    );
    const found = counts.map(([of = '', why = '', n]) => ({
      entity: of ?? '',
      reason: why ?? '',
      rows: Number(n),
    }));
    return {
      counts: found,
      total: found.reduce((sum, { rows: n }) => sum + n, 0),
      rows: rows.map((row): RecordRow => ({
        entity: row[0] ?? '',
        key: row[1] ?? '',
        reason: row[2] ?? '',
        parentKey: row[3] ?? null,
        attempts: row[4] == null ? null : Number(row[4]),
        since: row[5] ?? '',
        ageSeconds: Math.max(0, Number(row[6])),
        acceptedBy: row[7] ?? null,
        note: row[8] ?? null,
      })),
    };
  });
}

/** Root keys of an entity on a list: all, or those of `keys` that are there. */
export async function keysOn(
  client: pg.ClientBase,
  list: RecordListName,
  entity: string,
  keys: readonly string[] | null,
): Promise<readonly string[]> {
  const rows = await textRows(
    client,
    `select distinct root_key from tandem.${SOURCES[list].table}
     where entity = $1 and root_key <> '' and ($2::text[] is null or root_key = any($2::text[]))
     order by root_key`,
    [entity, keys === null ? null : [...keys]],
  );
  return rows.map(([key]) => key ?? '');
}

/** The entities that have something on a list; a mapping that changed may not have them any more. */
export async function entitiesOn(
  client: pg.ClientBase,
  list: RecordListName,
): Promise<readonly string[]> {
  const rows = await textRows(
    client,
    `select distinct entity from tandem.${SOURCES[list].table} order by entity`,
  );
  return rows.map(([entity]) => entity ?? '');
}

/** Of these roots, how many stand on each list now; the others were applied, or are gone. */
export async function whereabouts(
  client: pg.ClientBase,
  entity: string,
  keys: readonly string[],
): Promise<Readonly<Record<RecordListName | 'none', number>>> {
  const lists = RECORD_LISTS.map(
    (list) => `exists (select from tandem.${SOURCES[list].table}
    where entity = $1 and root_key = key)`,
  );
  const rows = await textRows(
    client,
    `select ${lists.map((sql, i) => `count(*) filter (where ${sql}) as n${i}`).join(', ')},
       count(*) filter (where not (${lists.join(' or ')}))
     from unnest($2::text[]) as root (key)`,
    [entity, [...keys]],
  );
  const [counts = []] = rows;
  const [quarantine = 0, held = 0, unresolved = 0, issues = 0, accepted = 0, none = 0] =
    counts.map(Number);
  return { quarantine, held, unresolved, issues, accepted, none };
}
