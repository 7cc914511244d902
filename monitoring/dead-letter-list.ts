import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { inSnapshot } from '../connectors/postgres/transaction.ts';

/** What to list; null: everything. */
type DeadLetterFilter = {
  /** Of these legacy tables, as the mapping names them. */
  readonly tables: readonly string[] | null;
  /** Of this topic. */
  readonly topic: string | null;
  /** Exactly one of the codes. */
  readonly reason: string | null;
  /** First seen at or after that: timestamptz text. */
  readonly since: string | null;
  /** Those that a person does without, or those that are open. */
  readonly accepted: boolean;
  readonly limit: number;
};

/** A message that nobody could read. Names, numbers and times, never a value. */
export type DeadLetterRow = {
  readonly topic: string;
  /** `partition/offset`: with the topic, how a person names it. */
  readonly place: string;
  readonly table: string | null;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  readonly since: string;
  readonly lastTriedAt: string;
  readonly ageSeconds: number;
  readonly acceptedBy: string | null;
  readonly acceptedAt: string | null;
  readonly note: string | null;
};

export type DeadLetterList = {
  /** By topic and reason, the most first. */
  readonly counts: readonly {
    readonly topic: string;
    readonly reason: string;
    readonly messages: number;
  }[];
  readonly total: number;
  /** The oldest first, at most `limit`. */
  readonly rows: readonly DeadLetterRow[];
};

const NOTHING: DeadLetterList = { counts: [], total: 0, rows: [] };

const COLUMNS = `topic, "partition" || '/' || "offset", table_name, error_class, message, attempts,
  to_json(first_seen_at) #>> '{}', to_json(last_tried_at) #>> '{}',
  extract(epoch from clock_timestamp() - first_seen_at), accepted_by,
  to_json(accepted_at) #>> '{}', accept_reason`;

/** Whether the target has the list: one that an older version has set up may lack it. */
async function hasDeadLetters(client: pg.ClientBase): Promise<boolean> {
  const [there] = await textRows(
    client,
    `select exists (select from pg_attribute
       where attrelid = to_regclass('tandem.dead_letter') and attname = 'accepted_at')`,
  );
  return there?.[0] === 't';
}

/** Counts and messages, in one snapshot. */
export async function listDeadLetters(
  client: pg.ClientBase,
  { tables, topic, reason, since, accepted, limit }: DeadLetterFilter,
): Promise<DeadLetterList> {
  if (!(await hasDeadLetters(client))) return NOTHING;
  const where = `(accepted_at is not null) = $1 and ($2::text[] is null or table_name = any($2))
    and ($3::text is null or topic = $3) and ($4::text is null or error_class = $4)
    and ($5::timestamptz is null or first_seen_at >= $5)`;
  const given = [accepted, tables === null ? null : [...tables], topic, reason, since];
  return await inSnapshot(client, async () => {
    const counts = await textRows(
      client,
      `select topic, error_class, count(*) from tandem.dead_letter where ${where}
       group by 1, 2 order by 3 desc, 1, 2`,
      given,
    );
    const rows = await textRows(
      client,
      `select ${COLUMNS} from tandem.dead_letter where ${where}
       order by first_seen_at, topic, "partition", "offset" limit $6`,
      [...given, limit],
    );
    const found = counts.map(([of, why, n]) => ({
      topic: of ?? '',
      reason: why ?? '',
      messages: Number(n),
    }));
    return {
      counts: found,
      total: found.reduce((sum, { messages }) => sum + messages, 0),
      rows: rows.map(rowOf),
    };
  });
}

/** One message; null: it does not stand in the list. */
export async function findDeadLetter(
  client: pg.ClientBase,
  topic: string,
  place: string,
): Promise<DeadLetterRow | null> {
  if (!(await hasDeadLetters(client))) return null;
  const [row] = await textRows(
    client,
    `select ${COLUMNS} from tandem.dead_letter
     where topic = $1 and "partition" || '/' || "offset" = $2`,
    [topic, place],
  );
  return row === undefined ? null : rowOf(row);
}

/** Open messages: how many, and for how long the oldest. */
export async function countDeadLetters(
  client: pg.ClientBase,
): Promise<{ readonly rows: number; readonly oldestSeconds: number | null }> {
  if (!(await hasDeadLetters(client))) return { rows: 0, oldestSeconds: null };
  const [row] = await textRows(
    client,
    `select count(*), extract(epoch from clock_timestamp() - min(first_seen_at))
     from tandem.dead_letter where accepted_at is null`,
  );
  return { rows: Number(row?.[0] ?? 0), oldestSeconds: row?.[1] == null ? null : Number(row[1]) };
}

/** Topics of which messages stand in the list, accepted ones too. */
export async function deadLetterTopics(client: pg.ClientBase): Promise<readonly string[]> {
  if (!(await hasDeadLetters(client))) return [];
  const rows = await textRows(client, 'select distinct topic from tandem.dead_letter order by 1');
  return rows.map(([topic]) => topic ?? '');
}

function rowOf(row: readonly (string | null)[]): DeadLetterRow {
  return {
    topic: row[0] ?? '',
    place: row[1] ?? '',
    table: row[2] ?? null,
    reason: row[3] ?? '',
    message: row[4] ?? '',
    attempts: Number(row[5]),
    since: row[6] ?? '',
    lastTriedAt: row[7] ?? '',
    ageSeconds: Math.max(0, Number(row[8])),
    acceptedBy: row[9] ?? null,
    acceptedAt: row[10] ?? null,
    note: row[11] ?? null,
  };
}
