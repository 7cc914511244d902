import type pg from 'pg';
import { execute, statementError } from '../connectors/postgres/connection.ts';

/**
 * Asks now for what the database would ask for at the commit: deferred keys, foreign keys and
 * constraint triggers. A failure belongs to what was written since the last time.
 *
 * @throws TandemError whose step is `check`
 */
export async function checkNow(client: pg.ClientBase): Promise<void> {
  try {
    await execute(client, 'set constraints all immediate');
  } catch (error) {
    throw statementError('target', error, 'check');
  }
  await execute(client, 'set constraints all deferred');
}
