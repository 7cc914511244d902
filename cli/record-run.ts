import { textRows, withClient, type SqlValue } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Config } from './config.ts';

/** Notes in `tandem.run` when a piece of work began, and how it ended. */
export async function recordRun<T>(
  config: Config,
  kind: 'backfill' | 'stream',
  work: () => Promise<T>,
): Promise<T> {
  const id = await write(
    config,
    "insert into tandem.run (kind, status) values ($1, 'processing') returning id",
    [kind],
  );
  const end = (status: string, counters: object) =>
    write(
      config,
      'update tandem.run set status = $2, finished_at = now(), counters = $3 where id = $1 returning id',
      [id, status, JSON.stringify(counters)],
    ).catch(() => undefined);
  try {
    const result = await work();
    await end('completed', {});
    return result;
  } catch (error) {
    await end('failed', { error: error instanceof TandemError ? error.code : 'unexpected' });
    throw error;
  }
}

async function write(config: Config, sql: string, values: readonly SqlValue[]): Promise<string> {
  return withClient(config.target, 'run', async (client) => {
    const [row] = await textRows(client, sql, values);
    return row?.[0] ?? '';
  });
}
