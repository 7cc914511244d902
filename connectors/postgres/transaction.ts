import type pg from 'pg';
import { execute } from './connection.ts';

/**
 * Runs `work` in a transaction, and commits it. Where something fails nothing of it stays, and the
 * first error is thrown: a rollback that fails too, for the connection may be lost, does not hide it.
 */
export async function inTransaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await execute(client, 'begin');
  try {
    const result = await work();
    await execute(client, 'commit');
    return result;
  } catch (error) {
    await execute(client, 'rollback').catch(() => undefined);
    throw error;
  }
}

/** Runs `work` in one snapshot of the database, in which nothing can be written. */
export async function inSnapshot<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await execute(client, 'begin transaction isolation level repeatable read, read only');
  try {
    return await work();
  } finally {
    await execute(client, 'rollback').catch(() => undefined);
  }
}
