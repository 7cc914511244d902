import type pg from 'pg';
import {
  execute,
  statementError,
  textRows,
  withClient,
} from '../connectors/postgres/connection.ts';
import type { Database } from '../connectors/postgres/connection.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import { streamSession, type Session, type StreamOptions } from '../consumers/stream.ts';
import { readPositions } from '../consumers/topic-positions.ts';
import { TandemError } from '../core/errors.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';

const LOOK_MS = 100;

export type LogLoad = {
  readonly target: Database;
  readonly stream: string;
  readonly session: Session;
  /** By `topic/partition`: the offset behind the last message. */
  readonly ends: () => Promise<ReadonlyMap<string, bigint>>;
  readonly limits: Omit<StreamOptions, 'progressed'>;
};

/**
 * Brings what the log holds into the mirror, up to where it ends now. Each batch commits its rows with
 * the positions behind them, so whoever goes on after a kill goes on there.
 */
export async function readToEnd({ target, stream, session, ends, limits }: LogLoad): Promise<void> {
  const { signal, clock, observer } = limits;
  const over = new AbortController();
  const whole = AbortSignal.any([signal, over.signal]);
  const goal = { target, stream, ends: await ends() };
  const reached = reach(goal, { signal: whole, clock, observer });
  reached.then(
    () => over.abort(),
    () => over.abort(),
  );
  try {
    await streamSession(session, { ...limits, signal: whole, progressed: () => undefined });
  } finally {
    over.abort();
    await reached.catch(() => undefined);
  }
  signal.throwIfAborted();
  await reached;
}

type Goal = {
  readonly target: Database;
  readonly stream: string;
  readonly ends: ReadonlyMap<string, bigint>;
};

/** Returns when the target stands at all of the ends, or `signal` aborts. */
async function reach(
  { target, stream, ends }: Goal,
  {
    signal,
    clock,
    observer,
  }: { readonly signal: AbortSignal; readonly clock: Clock; readonly observer: Observer },
): Promise<void> {
  const total = [...ends.values()].reduce((sum, end) => sum + Number(end), 0);
  await withClient(target, 'load', async (client) => {
    while (!signal.aborted) {
      const { partitions } = await readPositions(client, stream);
      let left = 0;
      for (const [name, end] of ends) {
        const next = partitions.get(name)?.next ?? 0n;
        if (next < end) left += Number(end - next);
      }
      observer.progress('load', 'messages', total - left, total);
      if (left === 0) return;
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  });
}

/**
 * The tables are loaded. The mirror is nowhere ahead of the stream, which goes on at the positions: so
 * the place that it is consistent from is where the snapshot was taken.
 *
 * @throws TandemError `LOG_NOT_WHOLE` where not a row came from a snapshot
 */
export async function finishLogLoad(
  target: Database,
  stream: string,
  tables: readonly MirrorTable[],
): Promise<void> {
  await withClient(target, 'load', async (client) => {
    try {
      await requireSnapshot(client, tables);
      for (const table of tables) await execute(client, `analyze ${mirrorName(table)}`);
      const names = arrayLiteral(tables.map(({ name }) => name));
      await inTransaction(client, () =>
        execute(
          client,
          `update tandem.mirror set loaded_at = clock_timestamp(),
             read_until = (select consistent_point from tandem.position where stream = $1)
           where table_name = any($2::text[]) and state = 'active' and loaded_at is null`,
          [stream, names],
        ),
      );
    } catch (error) {
      throw statementError('target', error, 'load from the log');
    }
  });
}

/** Rows that were read, and not changed, have no place within a transaction. */
async function requireSnapshot(
  client: pg.ClientBase,
  tables: readonly MirrorTable[],
): Promise<void> {
  for (const table of tables) {
    const sql = `select exists (select from ${mirrorName(table)} where _change_lsn = '0/0')`;
    const [row] = await textRows(client, sql);
    if (row?.[0] === 't') return;
  }
  const reason = 'no row of a snapshot (op r) is in any topic';
  throw new TandemError('LOG_NOT_WHOLE', { reason });
}
