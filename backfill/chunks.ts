import type pg from 'pg';
import { arrayLiteral, ident } from '../connectors/postgres/sql.ts';
import { textRows } from '../connectors/postgres/connection.ts';
import type { MirrorTable } from '../core/mirror-table.ts';

/** `load`: source to an empty mirror table. `reload`: to one that holds rows. `derive`: mirror to target. */
export type Stage = 'load' | 'reload' | 'derive';

/** Keys behind `lower` up to and including `upper`; null is open. Together the chunks cover all keys. */
export type Chunk = {
  readonly stage: Stage;
  /** The table, or for `derive` the entity. */
  readonly subject: string;
  readonly number: number;
  readonly lower: readonly string[] | null;
  readonly upper: readonly string[] | null;
};

/** The key columns of the table to cut, and where it is. */
type Cut = { readonly from: string; readonly table: MirrorTable };

/** Every `rows`-th key, in key order: the upper bounds of all chunks but the last. */
export async function chunkBounds(
  client: pg.ClientBase,
  { from, table }: Cut,
  rows: number,
): Promise<readonly (readonly string[])[]> {
  const key = table.columns.slice(0, table.keyLength).map(({ name }) => ident(name));
  const found = await textRows(
    client,
    `select ${key.join(', ')} from (
       select ${key.join(', ')}, row_number() over (order by ${key.join(', ')}) as place from ${from}
     ) as numbered where place % $1::bigint = 0 order by place`,
    [rows],
  );
  return found.map((row) => row.map((cell) => cell ?? ''));
}

/** Records the chunks of a subject; what is recorded already stays as it is (a resumed backfill). */
export async function recordChunks(
  client: pg.ClientBase,
  stage: Stage,
  subject: string,
  bounds: readonly (readonly string[])[],
): Promise<void> {
  const uppers = [...bounds.map((key) => JSON.stringify(key)), null];
  const lowers = [null, ...uppers.slice(0, -1)];
  await client.query(
    `insert into tandem.chunk (stage, subject, number, lower, upper)
     select $1, $2, place, lower, upper
     from unnest($3::text[], $4::text[]) with ordinality as bound (lower, upper, place)
     on conflict do nothing`,
    [stage, subject, arrayLiteral(lowers), arrayLiteral(uppers)],
  );
}

export async function forgetChunks(
  client: pg.ClientBase,
  stage: Stage,
  subject: string,
): Promise<void> {
  await client.query('delete from tandem.chunk where stage = $1 and subject = $2', [
    stage,
    subject,
  ]);
}

/** The chunks that are not done yet, in order; and how many rows are done. */
export async function openChunks(
  client: pg.ClientBase,
  stage: Stage,
  subject: string,
): Promise<{ planned: boolean; open: Chunk[]; doneRows: number }> {
  const rows = await textRows(
    client,
    `select number, lower, upper, finished_at is not null, rows from tandem.chunk
     where stage = $1 and subject = $2 order by number`,
    [stage, subject],
  );
  const bound = (text: string | null | undefined) =>
    text == null ? null : (JSON.parse(text) as string[]);
  return {
    planned: rows.length > 0,
    open: rows
      .filter((row) => row[3] !== 't')
      .map(([number, lower, upper]) => ({
        stage,
        subject,
        number: Number(number),
        lower: bound(lower),
        upper: bound(upper),
      })),
    doneRows: rows.reduce((sum, row) => sum + (row[3] === 't' ? Number(row[4]) : 0), 0),
  };
}

const boundText = (key: readonly string[] | null) => (key === null ? null : JSON.stringify(key));

/**
 * Takes a chunk for this transaction. False: another process has done it meanwhile, or the table was
 * cut anew.
 */
export async function takeChunk(client: pg.ClientBase, chunk: Chunk): Promise<boolean> {
  const rows = await textRows(
    client,
    `select number from tandem.chunk
     where stage = $1 and subject = $2 and number = $3 and finished_at is null
       and lower is not distinct from $4 and upper is not distinct from $5 for update`,
    [chunk.stage, chunk.subject, chunk.number, boundText(chunk.lower), boundText(chunk.upper)],
  );
  return rows.length > 0;
}

/** Records a chunk as done, in the transaction that brings its rows. */
export async function finishChunk(
  client: pg.ClientBase,
  chunk: Chunk,
  rows: number,
  version: string | null = null,
): Promise<void> {
  await client.query(
    `update tandem.chunk set rows = $4, version = $5, finished_at = clock_timestamp()
     where stage = $1 and subject = $2 and number = $3`,
    [chunk.stage, chunk.subject, chunk.number, rows, version],
  );
}
