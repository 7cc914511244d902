import type pg from 'pg';
import { openClient, statementError, textRows } from '../../connectors/postgres/connection.ts';
import { TandemError } from '../../core/errors.ts';
import type { Context } from '../command.ts';

/**
 * Works in a session of the target, where the lists are.
 *
 * @throws TandemError `NOT_SET_UP`; a statement that fails is named, and the server's own message,
 *   which may quote a row, is not shown
 */
export async function withRecords<T>(
  context: Context,
  work: (target: pg.Client) => Promise<T>,
): Promise<T> {
  const { target, stream } = await context.config();
  const client = await openClient(target, 'records');
  try {
    // The youngest of the tables: a target that an older version has set up may lack it.
    const [there] = await textRows(client, `select to_regclass('tandem.accepted') is not null`);
    if (there?.[0] !== 't') throw new TandemError('NOT_SET_UP', { stream });
    return await work(client);
  } catch (error) {
    throw isOfServer(error) ? statementError('target', error, 'records') : error;
  } finally {
    await client.end();
  }
}

const isOfServer = (error: unknown) => error instanceof Error && 'severity' in error;
