import type pg from 'pg';
import { preparedRows, textRows } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { Unreadable } from '../core/ports.ts';

/** Records messages that nobody could read, in the transaction that passes them. */
export async function recordDeadLetters(
  client: pg.ClientBase,
  unreadable: readonly Unreadable[],
): Promise<void> {
  if (unreadable.length === 0) return;
  const array = (value: (message: Unreadable) => string | number | bigint | null) =>
    arrayLiteral(unreadable.map((message) => value(message)?.toString() ?? null));
  await preparedRows(
    client,
    `insert into tandem.dead_letter as known (topic, "partition", "offset", table_name, error_class, message)
     select * from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[])
     on conflict (topic, "partition", "offset") do update set error_class = excluded.error_class,
       message = excluded.message, attempts = known.attempts + 1, last_tried_at = now()`,
    [
      array(({ topic }) => topic),
      array(({ partition }) => partition),
      array(({ offset }) => offset),
      array(({ table }) => table),
      array(({ code }) => code),
      array(({ message }) => message),
    ],
  );
}

/** Where a message was in its topic. */
export type MessagePlace = Pick<Unreadable, 'topic' | 'partition' | 'offset'>;

/** Forgets messages whose changes are in the target now. */
export async function forgetDeadLetters(
  client: pg.ClientBase,
  places: readonly MessagePlace[],
): Promise<void> {
  if (places.length === 0) return;
  await preparedRows(client, `delete from tandem.dead_letter ${AT_PLACES}`, placeArrays(places));
}

/**
 * Records that a person does without these messages.
 *
 * @returns how many of them stand in the list
 */
export async function acceptDeadLetters(
  client: pg.ClientBase,
  places: readonly MessagePlace[],
  reason: string,
): Promise<number> {
  const rows = await textRows(
    client,
    `update tandem.dead_letter set accepted_at = now(), accepted_by = session_user,
       accept_reason = $4 ${AT_PLACES} returning 1`,
    [...placeArrays(places), reason],
  );
  return rows.length;
}

/** Messages that nobody could read, and that nobody has decided to do without. */
export async function countUnread(client: pg.ClientBase): Promise<number> {
  const [there] = await textRows(
    client,
    `select exists (select from pg_attribute
       where attrelid = to_regclass('tandem.dead_letter') and attname = 'accepted_at')`,
  );
  if (there?.[0] !== 't') return 0; // set up by an older version
  const [row] = await textRows(
    client,
    'select count(*) from tandem.dead_letter where accepted_at is null',
  );
  return Number(row?.[0]);
}

const AT_PLACES = `where (topic, "partition", "offset") in (
  select * from unnest($1::text[], $2::integer[], $3::bigint[]))`;

const placeArrays = (places: readonly MessagePlace[]): string[] => [
  arrayLiteral(places.map(({ topic }) => topic)),
  arrayLiteral(places.map(({ partition }) => String(partition))),
  arrayLiteral(places.map(({ offset }) => String(offset))),
];
