import pg from 'pg';
import { textRows, type SqlValue, type TextRow } from '../../connectors/postgres/connection.ts';

/** Runs `work` on a session of its own and closes it, whatever happens. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  // A lost session is reported by the query in hand.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** One statement on a session of its own. */
export async function rowsOf(
  url: string,
  sql: string,
  values: readonly SqlValue[] = [],
): Promise<TextRow[]> {
  return withClient(url, (client) => textRows(client, sql, values));
}

/** One or several statements without parameters. */
export async function execute(url: string, sql: string): Promise<void> {
  await withClient(url, (client) => client.query(sql));
}

/** The first cell of the first row. */
export async function valueOf(
  url: string,
  sql: string,
  values: readonly SqlValue[] = [],
): Promise<string> {
  const [row] = await rowsOf(url, sql, values);
  return row?.[0] ?? '';
}
