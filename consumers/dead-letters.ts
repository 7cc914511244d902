import type pg from 'pg';
import { preparedRows } from '../connectors/postgres/connection.ts';
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
