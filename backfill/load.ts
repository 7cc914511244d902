import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import {
  execute,
  statementError,
  textRows,
  type Database,
} from '../connectors/postgres/connection.ts';
import { barrier } from '../connectors/postgres/barrier.ts';
import { notedWalEnd } from '../connectors/postgres/wal-position.ts';
import { rangeCondition, sourceName } from '../connectors/postgres/key-range.ts';
import { closePair, openPair, type Pair } from '../connectors/postgres/pair.ts';
import { ident, literal } from '../connectors/postgres/sql.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { lockTables } from '../consumers/locks.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import { TandemError } from '../core/errors.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import {
  chunkBounds,
  finishChunk,
  openChunks,
  recordChunks,
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
  /** The stream runs meanwhile; absent: it begins behind the load. */
  readonly beside?: Beside;
  readonly workers: number;
  readonly chunkRows: number;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** How a table is read beside the stream. */
type Beside = {
  /** By table: the stream brings what commits from there on. */
  readonly joinsAt: ReadonlyMap<string, Lsn>;
  /** Rows that the source does not have any more stay as they are: they were truncated. */
  readonly keepsVanished: (table: string) => boolean;
  /** All of it is in the mirror; `readUntil`: where the source stood then. */
  readonly finished: (target: pg.Client, table: MirrorTable, readUntil: string) => Promise<void>;
};

type Task = { readonly table: MirrorTable; readonly chunk: Chunk };

/**
 * Stage 1: copies the source's tables into the mirror, chunk by chunk, without parsing a row. Each
 * chunk has a snapshot of its own and is recorded in the transaction that brings it; the stream,
 * replayed from the slot's start, heals what a chunk saw too early.
 */
export async function loadMirror(context: LoadContext): Promise<void> {
  const control = await openPair(context, 'load');
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
      open: () => openPair(context, 'load'),
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
        if (state.left === 0) await finishTable(context, pair, table);
      },
    });
    for (const table of open) {
      if (progress.get(table.name)?.left === 0) await finishTable(context, control, table);
    }
  } finally {
    await closePair(control);
  }
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
  const stage: Stage = row?.[0] === 't' || context.beside !== undefined ? 'reload' : 'load';
  const cut = { from: sourceName(table), table };
  const bounds = await fromSource(table, () => chunkBounds(source, cut, context.chunkRows));
  // A row that is copied gets its version by default: nothing has to be added to the stream. Before
  // the chunks are recorded, for whoever finds them begins to copy.
  if (stage === 'load') {
    await target.query(
      `alter table ${mirrorName(table)} alter column _commit_lsn set default ${literal(formatLsn(context.consistentPoint))}`,
    );
  }
  await recordChunks(target, stage, table.name, bounds);
  const { open } = await openChunks(target, stage, table.name);
  return { chunks: open, done: 0, left: open.length, total: await estimatedRows(source, table) };
}

async function estimatedRows(source: pg.ClientBase, table: MirrorTable): Promise<number> {
  const [row] = await fromSource(table, () =>
    textRows(
      source,
      'select greatest(reltuples, 0)::bigint from pg_class where oid = $1::regclass',
      [sourceName(table)],
    ),
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
    return await inTransaction(target, async () => {
      if (!(await takeChunk(target, chunk))) return 0;
      const { rows, version } =
        chunk.stage === 'load'
          ? await load({ source, target }, table, chunk)
          : await reload(context, { source, target }, table, chunk);
      await finishChunk(target, chunk, rows, version);
      return rows;
    });
  } catch (error) {
    throw statementError(isSourceError(error) ? 'source' : 'target', error, `load ${table.name}`);
  }
}

async function fromSource<T>(table: MirrorTable, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw statementError('source', error, `load ${table.name}`);
  }
}

const sourceErrors = new WeakSet<object>();
const isSourceError = (error: unknown) =>
  typeof error === 'object' && error !== null && sourceErrors.has(error);

/**
 * A COPY takes its snapshot before it waits for the table, and to a snapshot from before an ALTER
 * TABLE that rewrites it, the table is empty. So the table is locked first, and all that a part of
 * it is made of; the question that does so needs no other privilege than the COPY itself.
 */
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
  const rows = `select ${columns} from ${sourceName(table)} where ${where}`;
  // Where something fails the session ends: a rollback would wait behind a COPY that nobody reads.
  await ofSource(execute(source, 'begin'));
  await ofSource(textRows(source, `${rows} limit 0`));
  const out = source.query(copyTo(`copy (${rows}) to stdout`));
  out.on('error', (error: Error) => sourceErrors.add(error));
  const put = target.query(copyFrom(`copy ${into} (${columns}) from stdin`));
  await pipeline(out, put);
  await ofSource(execute(source, 'commit'));
  return put.rowCount ?? 0;
}

async function ofSource<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Error) sourceErrors.add(error);
    throw error;
  }
}

type Loaded = { readonly rows: number; readonly version: string | null };

async function load(pair: Pair, table: MirrorTable, chunk: Chunk): Promise<Loaded> {
  return {
    rows: await copyRows({ ...pair, table, chunk, into: mirrorName(table) }),
    version: null,
  };
}

/**
 * A range of a mirror table that holds rows already (the slot was made anew, or a column was added):
 * read again at a barrier, so that what the source has wins over all that is older. What it has no
 * more is found when all ranges are done.
 */
async function reload(
  context: LoadContext,
  pair: Pair,
  table: MirrorTable,
  chunk: Chunk,
): Promise<Loaded> {
  const { clock, signal } = context;
  const { target } = pair;
  const mirror = mirrorName(table);
  const columns = table.columns.map(({ name }) => ident(name));
  const key = columns.slice(0, table.keyLength);
  const lsn = await barrier(pair.source, { clock, signal });
  const version = formatLsn(lsn);
  await target.query(
    `create temporary table tandem_reload on commit drop as select ${columns.join(', ')} from ${mirror} where false`,
  );
  const rows = await copyRows({ ...pair, table, chunk, into: 'pg_temp.tandem_reload' });
  if (context.beside !== undefined) await holdJoin(context.beside, target, table, lsn);
  const set = columns.slice(table.keyLength).map((name) => `${name} = excluded.${name}`);
  await target.query(
    `insert into ${mirror} as mirror (${columns.join(', ')}, _commit_lsn)
     select ${columns.join(', ')}, ${literal(version)}::pg_lsn from pg_temp.tandem_reload
     on conflict (${key.join(', ')}) do update set
       ${[...set, '_commit_lsn = excluded._commit_lsn', '_change_lsn = excluded._change_lsn', '_deleted = false'].join(', ')}
     where (excluded._commit_lsn, excluded._change_lsn) > (mirror._commit_lsn, mirror._change_lsn)`,
  );
  return { rows, version };
}

/**
 * One writer of the mirror table at a time; and the table still joins where the stream takes it up.
 * A process that froze, and wakes up after the reading has started over, would bring what was
 * committed before the new place.
 */
async function holdJoin(
  { joinsAt }: Beside,
  target: pg.Client,
  table: MirrorTable,
  readAt: Lsn,
): Promise<void> {
  await lockTables(target, [table.name]);
  const joins = joinsAt.get(table.name) ?? (0n as Lsn);
  const rows = await textRows(
    target,
    `select table_name from tandem.mirror
     where table_name = $1 and state = 'joining' and joins_at = $2 for share`,
    [table.name, formatLsn(joins)],
  );
  if (rows.length === 0 || readAt < joins) {
    throw new TandemError('TABLE_JOINING', { table: table.name });
  }
}

/**
 * After a reload every row that the source has is at least as new as its range. What is older than
 * all ranges has vanished. (Looked for once and not by range, because source and target may sort
 * texts in another way.)
 */
async function buryVanished(target: pg.ClientBase, table: MirrorTable): Promise<void> {
  const rest = table.columns.slice(table.keyLength).map(({ name }) => `${ident(name)} = null, `);
  await target.query(
    `update ${mirrorName(table)} set ${rest.join('')}
       _commit_lsn = oldest.version, _change_lsn = '0/0', _deleted = true
     from (select min(version) as version from tandem.chunk
       where stage = 'reload' and subject = $1) as oldest
     where not _deleted and (_commit_lsn, _change_lsn) < (oldest.version, '0/0'::pg_lsn)`,
    [table.name],
  );
}

/** The table is loaded: from here on it is consistent once the stream has passed this position. */
async function finishTable(
  context: LoadContext,
  { source, target }: Pair,
  table: MirrorTable,
): Promise<void> {
  const { beside } = context;
  if (await isLoaded(target, table)) return;
  if (beside === undefined) await buryVanished(target, table);
  else if (!beside.keepsVanished(table.name)) {
    await inTransaction(target, async () => {
      await lockTables(target, [table.name]);
      await buryVanished(target, table);
    });
  }
  await target.query(`analyze ${mirrorName(table)}`);
  const end = formatLsn(await fromSource(table, () => notedWalEnd(source)));
  if (beside !== undefined) {
    await beside.finished(target, table, end);
    return;
  }
  await target.query(
    'update tandem.mirror set loaded_at = clock_timestamp(), read_until = $2 where table_name = $1',
    [table.name, end],
  );
}
