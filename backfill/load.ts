import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import {
  openClient,
  statementError,
  textRows,
  type Database,
} from '../connectors/postgres/connection.ts';
import { barrier } from '../connectors/postgres/barrier.ts';
import { ident, literal } from '../connectors/postgres/sql.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import {
  chunkBounds,
  finishChunk,
  openChunks,
  rangeCondition,
  recordChunks,
  sourceName,
  takeChunk,
  type Chunk,
  type Stage,
} from './chunks.ts';
import { eachWithWorkers } from './workers.ts';

export type LoadContext = {
  readonly source: Database;
  readonly target: Database;
  readonly tables: readonly MirrorTable[];
  /** The version of every row that is copied: the slot's consistent point. */
  readonly consistentPoint: Lsn;
  readonly workers: number;
  readonly chunkRows: number;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

type Pair = { readonly source: pg.Client; readonly target: pg.Client };
type Task = { readonly table: MirrorTable; readonly chunk: Chunk };

/**
 * Stage 1: copies the source's tables into the mirror, chunk by chunk, without parsing a row. Each
 * chunk has a snapshot of its own and is recorded in the transaction that brings it; the stream,
 * replayed from the slot's start, heals what a chunk saw too early.
 */
export async function loadMirror(context: LoadContext): Promise<void> {
  const control = await openPair(context);
  try {
    const open: MirrorTable[] = [];
    for (const table of context.tables) {
      if (!(await isLoaded(control.target, table))) open.push(table);
    }
    const tasks: Task[] = [];
    const progress = new Map<string, { done: number; left: number; total: number }>();
    for (const table of open) {
      const planned = await planTable(context, control, table);
      progress.set(table.name, planned);
      for (const chunk of planned.chunks) tasks.push({ table, chunk });
    }
    await eachWithWorkers({
      items: tasks,
      workers: context.workers,
      signal: context.signal,
      open: () => openPair(context),
      close: closePair,
      async run(pair, { table, chunk }) {
        const rows = await loadChunk(context, pair, table, chunk);
        const state = progress.get(table.name);
        if (state === undefined) return;
        state.done += rows;
        state.left--;
        context.observer.progress(
          'load',
          table.name,
          state.done,
          Math.max(state.total, state.done),
        );
        if (state.left === 0) await finishTable(pair, table);
      },
    });
    for (const table of open) {
      if (progress.get(table.name)?.left === 0) await finishTable(control, table);
    }
  } finally {
    await closePair(control);
  }
}

async function openPair({ source, target }: LoadContext): Promise<Pair> {
  const client = await openClient(source, 'load');
  try {
    return { source: client, target: await openClient(target, 'load') };
  } catch (error) {
    await client.end();
    throw error;
  }
}

async function closePair(pair: Pair): Promise<void> {
  await Promise.allSettled([pair.source.end(), pair.target.end()]);
}

async function isLoaded(target: pg.ClientBase, table: MirrorTable): Promise<boolean> {
  const rows = await textRows(
    target,
    'select table_name from tandem.mirror where table_name = $1 and loaded_at is not null',
    [table.name],
  );
  return rows.length > 0;
}

async function planTable(
  context: LoadContext,
  { source, target }: Pair,
  table: MirrorTable,
): Promise<{ chunks: Chunk[]; done: number; left: number; total: number }> {
  for (const stage of ['load', 'reload'] as const) {
    const known = await openChunks(target, stage, table.name);
    if (known.planned) {
      const total = await estimatedRows(source, table);
      return { chunks: known.open, done: known.doneRows, left: known.open.length, total };
    }
  }
  const [row] = await textRows(target, `select exists (select from ${mirrorName(table)})`);
  const stage: Stage = row?.[0] === 't' ? 'reload' : 'load';
  const bounds = await chunkBounds(source, { from: sourceName(table), table }, context.chunkRows);
  await recordChunks(target, stage, table.name, bounds);
  // A row that is copied gets its version by default: nothing has to be added to the stream.
  await target.query(
    `alter table ${mirrorName(table)} alter column _commit_lsn set default ${literal(formatLsn(context.consistentPoint))}`,
  );
  const { open } = await openChunks(target, stage, table.name);
  return { chunks: open, done: 0, left: open.length, total: await estimatedRows(source, table) };
}

async function estimatedRows(source: pg.ClientBase, table: MirrorTable): Promise<number> {
  const [row] = await textRows(
    source,
    'select greatest(reltuples, 0)::bigint from pg_class where oid = $1::regclass',
    [sourceName(table)],
  );
  return Number(row?.[0] ?? 0);
}

async function loadChunk(
  context: LoadContext,
  { source, target }: Pair,
  table: MirrorTable,
  chunk: Chunk,
): Promise<number> {
  try {
    await target.query('begin');
    if (!(await takeChunk(target, chunk))) {
      await target.query('rollback');
      return 0;
    }
    const rows =
      chunk.stage === 'load'
        ? await copyRows({ source, target, table, chunk, into: mirrorName(table) })
        : await reload(context, { source, target }, table, chunk);
    await finishChunk(target, chunk, rows);
    await target.query('commit');
    return rows;
  } catch (error) {
    await target.query('rollback').catch(() => undefined);
    throw statementError(isSourceError(error) ? 'source' : 'target', error, `load ${table.name}`);
  }
}

const sourceErrors = new WeakSet<object>();
const isSourceError = (error: unknown) =>
  typeof error === 'object' && error !== null && sourceErrors.has(error);

async function copyRows(job: {
  source: pg.Client;
  target: pg.Client;
  table: MirrorTable;
  chunk: Chunk;
  into: string;
}): Promise<number> {
  const { source, target, table, chunk, into } = job;
  const columns = table.columns.map(({ name }) => ident(name)).join(', ');
  const where = rangeCondition(table, chunk, (column) => column.sourceType);
  const out = source.query(
    copyTo(`copy (select ${columns} from ${sourceName(table)} where ${where}) to stdout`),
  );
  out.on('error', (error: Error) => sourceErrors.add(error));
  const put = target.query(copyFrom(`copy ${into} (${columns}) from stdin`));
  await pipeline(out, put);
  return put.rowCount ?? 0;
}

/**
 * A range of a mirror table that holds rows already (the slot was made anew, or a column was added):
 * read again at a barrier, so that what the source has wins over all that is older, and what it has
 * no more becomes a tombstone.
 */
async function reload(
  { clock, signal }: LoadContext,
  pair: Pair,
  table: MirrorTable,
  chunk: Chunk,
): Promise<number> {
  const { target } = pair;
  const mirror = mirrorName(table);
  const columns = table.columns.map(({ name }) => ident(name));
  const key = columns.slice(0, table.keyLength);
  const version = literal(formatLsn(await barrier(pair.source, { clock, signal })));
  await target.query(
    `create temporary table tandem_reload on commit drop as select ${columns.join(', ')} from ${mirror} where false`,
  );
  const rows = await copyRows({ ...pair, table, chunk, into: 'pg_temp.tandem_reload' });
  const set = columns.slice(table.keyLength).map((name) => `${name} = excluded.${name}`);
  await target.query(
    `insert into ${mirror} as mirror (${columns.join(', ')}, _commit_lsn)
     select ${columns.join(', ')}, ${version}::pg_lsn from pg_temp.tandem_reload
     on conflict (${key.join(', ')}) do update set
       ${[...set, '_commit_lsn = excluded._commit_lsn', '_change_lsn = excluded._change_lsn', '_deleted = false'].join(', ')}
     where (excluded._commit_lsn, excluded._change_lsn) > (mirror._commit_lsn, mirror._change_lsn)`,
  );
  const empty = columns.slice(table.keyLength).map((name) => `${name} = null`);
  const same = key.map((name) => `fresh.${name} = mirror.${name}`).join(' and ');
  await target.query(
    `update ${mirror} as mirror set
       ${[...empty, `_commit_lsn = ${version}`, `_change_lsn = '0/0'`, '_deleted = true'].join(', ')}
     where ${rangeCondition(table, chunk, (column) => column.type)} and not _deleted
       and (_commit_lsn, _change_lsn) < (${version}::pg_lsn, '0/0'::pg_lsn)
       and not exists (select from pg_temp.tandem_reload as fresh where ${same})`,
  );
  return rows;
}

/** The table is loaded: from here on it is consistent once the stream has passed this position. */
async function finishTable({ source, target }: Pair, table: MirrorTable): Promise<void> {
  if (await isLoaded(target, table)) return;
  await target.query(`analyze ${mirrorName(table)}`);
  const [row] = await textRows(source, INSERT_POSITION);
  await target.query(
    'update tandem.mirror set loaded_at = clock_timestamp(), read_until = $2 where table_name = $1',
    [table.name, row?.[0] ?? null],
  );
}

/** Where the source writes next; on a standby, what it has replayed. */
const INSERT_POSITION = `select case when pg_is_in_recovery()
  then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end`;
