import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { ident } from '../schema/definition.ts';
import { legacyTable } from '../schema/tables.ts';
import { copyChunks } from './copy-text.ts';
import type { RowSource } from './row.ts';

/** Streams rows into their table. Rows are made as the server takes them: memory stays flat. */
export async function copyIn(
  client: pg.Client,
  source: RowSource,
  onRows: (rows: number) => void,
): Promise<number> {
  const table = legacyTable(source.table);
  const columns = table.columns.map((column) => ident(column.name)).join(', ');
  let rows = 0;
  const chunks = copyChunks(table, source.rows, (more) => {
    rows += more;
    onRows(rows);
  });
  const sink = client.query(copyFrom(`copy ${ident(table.name)} (${columns}) from stdin`));
  await pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 4 }), sink);
  return rows;
}

/** Sets the sequence behind the highest id, which is where Django's inserts go on. */
export async function advanceSequence(client: pg.Client, tableName: string): Promise<void> {
  const table = legacyTable(tableName);
  if (table.key.type !== 'serial') return;
  await client.query(
    `select setval(pg_get_serial_sequence($1, 'id'), max(id)) from ${ident(table.name)} having max(id) is not null`,
    [`public.${ident(table.name)}`],
  );
}
