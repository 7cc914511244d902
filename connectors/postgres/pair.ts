import type pg from 'pg';
import { openClient, type Database } from './connection.ts';

/** A session of each database. */
export type Pair = { readonly source: pg.Client; readonly target: pg.Client };

/** Both databases, of whatever else is there with them. */
type Databases = { readonly source: Database; readonly target: Database };

/** Opens both or none. Throws a `TandemError` that names the side. */
export async function openPair({ source, target }: Databases, purpose: string): Promise<Pair> {
  const from = await openClient(source, purpose);
  try {
    return { source: from, target: await openClient(target, purpose) };
  } catch (error) {
    await from.end();
    throw error;
  }
}

export async function closePair({ source, target }: Pair): Promise<void> {
  await Promise.allSettled([source.end(), target.end()]);
}

/** A session of each database, for as long as `work` takes. */
export async function withBoth<T>(
  databases: Databases,
  purpose: string,
  work: (source: pg.Client, target: pg.Client) => Promise<T>,
): Promise<T> {
  const pair = await openPair(databases, purpose);
  try {
    return await work(pair.source, pair.target);
  } finally {
    await closePair(pair);
  }
}
