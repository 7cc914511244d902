import { Socket } from 'node:net';
import type pg from 'pg';
import { statementError, withClient, type Database } from '../../connectors/postgres/connection.ts';
import type { TandemError } from '../../core/errors.ts';

export type Answer<T> = { readonly value: T } | { readonly failure: TandemError };

/**
 * Asks a database over a short session of its own. Never throws, and is over by the deadline or when
 * `signal` aborts, whatever the network does: the socket is destroyed then.
 */
export async function ask<T>(
  database: Database,
  options: { readonly deadlineMs: number; readonly signal: AbortSignal },
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<Answer<T>> {
  const socket = new Socket();
  const over = () => void socket.destroy();
  const deadline = setTimeout(over, options.deadlineMs);
  options.signal.addEventListener('abort', over, { once: true });
  try {
    const connection = { ...database.client, stream: () => socket };
    return { value: await withClient({ ...database, client: connection }, 'metrics', work) };
  } catch (error) {
    return { failure: statementError(database.side, error, 'metrics') };
  } finally {
    clearTimeout(deadline);
    options.signal.removeEventListener('abort', over);
    socket.destroy();
  }
}
