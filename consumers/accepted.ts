import type pg from 'pg';
import { execute, preparedRows, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';

/** A refusal as the derive finds it: versions as text. */
type Refusal = {
  readonly key: string;
  readonly commitLsn: string;
  readonly changeLsn: string;
  readonly code: string;
};

/** Under this rule an accepted root counts as excluded. A mapping's rules have no such names. */
export const acceptedRule = (code: string): string => `accepted: ${code}`;

/** Which of these refusals a person has accepted: the same version of the root, the same kind of error. */
export async function standingAccepted(
  client: pg.ClientBase,
  entity: string,
  refusals: readonly Refusal[],
): Promise<ReadonlySet<string>> {
  if (refusals.length === 0) return new Set();
  const column = (of: (refusal: Refusal) => string) => arrayLiteral(refusals.map(of));
  const rows = await preparedRows(
    client,
    `select root_key from tandem.accepted
     join unnest($2::text[], $3::pg_lsn[], $4::pg_lsn[], $5::text[]) as refused (key, commit, change, code)
       on root_key = key and source_commit_lsn = commit and source_change_lsn = change
         and error_class = code
     where entity = $1`,
    [
      entity,
      column(({ key }) => key),
      column(({ commitLsn }) => commitLsn),
      column(({ changeLsn }) => changeLsn),
      column(({ code }) => code),
    ],
  );
  return new Set(rows.map(([key]) => key ?? ''));
}

/** The decision was about a row that is another one now, or is refused no more. */
export async function forgetAccepted(
  client: pg.ClientBase,
  entity: string,
  keys: readonly string[],
): Promise<void> {
  await preparedRows(
    client,
    'delete from tandem.accepted where entity = $1 and root_key = any($2::text[])',
    [entity, arrayLiteral(keys)],
  );
}

type Acceptance = {
  readonly entity: string;
  /** Null: all of this kind of error. */
  readonly keys: readonly string[] | null;
  readonly code: string | null;
  readonly reason: string;
  /** A derived entity's roots count in its account; a journal's changes do not. */
  readonly isCounted: boolean;
};

/**
 * Moves roots from quarantine to the accepted ones, by the database user of this session. Inside the
 * caller's transaction, under the entity's lock: a derive of the same root would write its entry
 * again behind ours. Nothing in the target changes.
 *
 * @returns the keys that were in quarantine, with their kind of error
 */
export async function acceptRoots(
  client: pg.ClientBase,
  { entity, keys, code, reason, isCounted }: Acceptance,
): Promise<{ readonly key: string; readonly code: string }[]> {
  const rows = await textRows(
    client,
    `with gone as (
       delete from tandem.quarantine where entity = $1
         and ($2::text[] is null or root_key = any($2::text[]))
         and ($3::text is null or error_class = $3)
       returning root_key, source_table, source_commit_lsn, source_change_lsn, error_class, message,
         attempts, first_seen_at
     )
     insert into tandem.accepted (entity, root_key, source_table, source_commit_lsn,
       source_change_lsn, error_class, message, attempts, first_seen_at, reason, accepted_by)
     select $1, root_key, source_table, source_commit_lsn, source_change_lsn, error_class, message,
       attempts, first_seen_at, $4, session_user from gone
     on conflict (entity, root_key) do update set source_commit_lsn = excluded.source_commit_lsn,
       source_change_lsn = excluded.source_change_lsn, error_class = excluded.error_class,
       message = excluded.message, attempts = excluded.attempts,
       reason = excluded.reason, accepted_by = excluded.accepted_by, accepted_at = now()
     returning root_key, error_class`,
    [entity, keys === null ? null : arrayLiteral(keys), code, reason],
  );
  const accepted = rows.map(([key, error]) => ({ key: key ?? '', code: error ?? '' }));
  if (isCounted && accepted.length > 0) {
    await execute(
      client,
      `insert into tandem.excluded as mark (entity, root_key, rule)
       select $1, * from unnest($2::text[], $3::text[])
       on conflict (entity, root_key) do update set rule = excluded.rule`,
      [
        entity,
        arrayLiteral(accepted.map(({ key }) => key)),
        arrayLiteral(accepted.map((it) => acceptedRule(it.code))),
      ],
    );
  }
  return accepted;
}

/** Takes decisions back: until the rows are derived again they are in quarantine, as they were. */
export async function withdrawAccepted(
  client: pg.ClientBase,
  entity: string,
  keys: readonly string[],
): Promise<void> {
  const list = arrayLiteral(keys);
  await execute(
    client,
    `with gone as (
       delete from tandem.accepted where entity = $1 and root_key = any($2::text[])
       returning entity, root_key, source_table, source_commit_lsn, source_change_lsn, error_class,
         message, attempts, first_seen_at
     ), counted as (
       delete from tandem.excluded as mark using gone
       where mark.entity = gone.entity and mark.root_key = gone.root_key
     )
     insert into tandem.quarantine (entity, root_key, source_table, source_commit_lsn,
       source_change_lsn, error_class, message, attempts, first_seen_at)
     select entity, root_key, source_table, source_commit_lsn, source_change_lsn, error_class,
       message, attempts, first_seen_at from gone
     on conflict do nothing`,
    [entity, list],
  );
}
