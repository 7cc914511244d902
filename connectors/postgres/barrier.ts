import type pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import type { Image, MirrorColumn, MirrorTable } from '../../core/mirror-table.ts';
import type { BarrierRead, Clock, SourceReader } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';
import { openClient, statementError, textRows, type Database } from './connection.ts';
import { ident, qualified } from './sql.ts';
import { notedWalEnd } from './wal-position.ts';

type BarrierOptions = {
  readonly clock: Clock;
  /** Afterwards `TIMED_OUT`. Default: five minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

const DEFAULT_TIMEOUT_MS = 300_000;

/**
 * Transactions that have written and not ended yet. Each holds a lock on its own id from before its
 * first write until after its end is visible. (A snapshot's list would not do: it leaves out running
 * transactions that are younger than the newest one that has ended.)
 *
 * One whose session waits for its client's next statement is left out: it has not begun to commit,
 * so its commit record will lie behind the barrier. An application that forgets to commit, or thinks
 * for an hour, holds nothing up; nor does another database of the server. Sessions of others show
 * their state only to `pg_read_all_stats`; where it is hidden, all are waited for.
 */
const RUNNING = `
  select l.transactionid::text, a.pid
  from pg_locks l left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
    and l.pid is distinct from pg_backend_pid()
    and not coalesce(a.datname <> current_database(), false)
    and not coalesce(a.state in ('idle in transaction', 'idle in transaction (aborted)'), false)`;

/**
 * A position whose past is visible: a snapshot taken after this returns holds everything that
 * committed before it. "The current position, then a select" is no such thing, because a commit is
 * in the WAL before it is visible, by as long as a synchronous standby takes to answer.
 *
 * Must run outside of a transaction, or with READ COMMITTED.
 *
 * @throws TandemError `TIMED_OUT` where a transaction does not end
 */
export async function barrier(client: pg.ClientBase, options: BarrierOptions): Promise<Lsn> {
  const { clock, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const deadline = clock.now() + timeoutMs;
  try {
    const lsn = await notedWalEnd(client);
    let waiting = await running(client);
    for (let pauseMs = 1; waiting.size > 0; pauseMs = Math.min(50, pauseMs * 2)) {
      signal?.throwIfAborted();
      if (clock.now() > deadline) throw timedOut(waiting);
      await clock.sleep(pauseMs, signal);
      const still = await running(client);
      waiting = new Map([...waiting].filter(([xid]) => still.has(xid)));
    }
    return lsn;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw statementError('source', error, 'barrier');
  }
}

/**
 * Transactions that have written to one of these tables (or a part of one) and not ended yet, idle
 * ones too: whoever writes holds such a lock to its end.
 */
const WRITERS = `
  with recursive wanted as (
    select c.oid from unnest($1::text[], $2::text[]) as name (nsp, rel)
    join pg_namespace n on n.nspname = name.nsp
    join pg_class c on c.relnamespace = n.oid and c.relname = name.rel
    union
    select i.inhrelid from wanted join pg_inherits i on i.inhparent = wanted.oid
  )
  select distinct l.virtualtransaction, l.pid
  from pg_locks l join wanted on wanted.oid = l.relation
  where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
    and l.database = (select oid from pg_database where datname = current_database())
    and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

/**
 * Returns when every transaction that has written to the table by now has ended. What such a one
 * wrote before the table was published is not sent, whenever it commits; so only a reading that
 * begins behind its end has it.
 *
 * @param waiting told every few seconds which processes are waited for
 */
export async function writersGone(
  client: pg.ClientBase,
  table: { readonly schema: string; readonly relation: string },
  options: Pick<BarrierOptions, 'clock' | 'signal'> & {
    readonly waiting: (pids: readonly string[]) => void;
  },
): Promise<void> {
  const { clock, signal, waiting } = options;
  const writers = async () => {
    const rows = await textRows(client, WRITERS, [[table.schema], [table.relation]]);
    return new Map(rows.map(([id, pid]) => [id ?? '', pid ?? 'prepared']));
  };
  try {
    let left = await writers();
    let toldAt = clock.now();
    for (let pauseMs = 5; left.size > 0; pauseMs = Math.min(500, pauseMs * 2)) {
      signal?.throwIfAborted();
      if (clock.now() - toldAt > TELL_MS) {
        waiting([...left.values()]);
        toldAt = clock.now();
      }
      await clock.sleep(pauseMs, signal);
      const still = await writers();
      left = new Map([...left].filter(([id]) => still.has(id)));
    }
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw statementError('source', error, 'wait for writers');
  }
}

const TELL_MS = 10_000;

/** Transaction ids, with the pid of the session where there is one. */
async function running(client: pg.ClientBase): Promise<ReadonlyMap<string, string | null>> {
  const rows = await textRows(client, RUNNING);
  return new Map(rows.map(([xid, pid]) => [xid ?? '', pid ?? null]));
}

function timedOut(waiting: ReadonlyMap<string, string | null>): TandemError {
  const pids = [...waiting.values()].map((pid) => pid ?? 'prepared').join(' ');
  return new TandemError('TIMED_OUT', { step: 'barrier', transactions: waiting.size, pids });
}

const IDLE_MS = 30_000;

/**
 * Reads single rows of the source at a barrier. The connection is opened when first needed and
 * closed after half a minute without use; reads queue up behind each other.
 */
export class PostgresSourceReader implements SourceReader {
  readonly #database: Database;
  readonly #options: BarrierOptions;
  #client: Promise<pg.Client> | null = null;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: BarrierOptions & { readonly database: Database }) {
    this.#database = options.database;
    this.#options = options;
  }

  readByKey(table: MirrorTable, keys: readonly (readonly string[])[]): Promise<BarrierRead> {
    const turn = this.#last.then(() => this.#read(table, keys));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const client = this.#client;
    this.#client = null;
    await client?.then((it) => it.end()).catch(() => undefined);
  }

  async #read(table: MirrorTable, keys: readonly (readonly string[])[]): Promise<BarrierRead> {
    clearTimeout(this.#idle);
    try {
      this.#client ??= openClient(this.#database, 'reader');
      const client = await this.#client;
      const lsn = await barrier(client, this.#options);
      const rows = await rowsByKey(client, table, keys);
      return { lsn, readUntil: await notedWalEnd(client), rows };
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.#idle = setTimeout(() => void this.close(), IDLE_MS);
      this.#idle.unref();
    }
  }
}

/** An enum is text in the mirror and compares only with itself; a domain compares as its base. */
function castType({ type, sourceType }: MirrorColumn): string {
  return type === 'text' ? sourceType : type;
}

/** A table, a column, an operator or a cast that is not there. */
const NOT_AS_DESCRIBED: ReadonlySet<string> = new Set([
  '42P01',
  '42703',
  '42883',
  '42804',
  '42846',
]);

/** One array of text per key column, cast as a whole by the server. */
async function rowsByKey(
  client: pg.ClientBase,
  table: MirrorTable,
  keys: readonly (readonly string[])[],
): Promise<readonly Image[]> {
  const key = table.columns.slice(0, table.keyLength);
  const arrays = key.map((column, i) => `$${i + 1}::text[]::${castType(column)}[]`).join(', ');
  const names = key.map((column) => ident(column.name)).join(', ');
  const joined = key.map(({ name }) => `t.${ident(name)} = k.${ident(name)}`).join(' and ');
  // Not `::text`, which is another form for some types (`true` for `t`, no padding of `char(n)`).
  const columns = table.columns.map(({ name }) => `t.${ident(name)}`).join(', ');
  try {
    return await textRows(
      client,
      `select ${columns} from unnest(${arrays}) as k (${names})
       join ${qualified(table.schema, table.relation)} t on ${joined}`,
      key.map((_, i) => keys.map((parts) => parts[i] ?? '')),
    );
  } catch (error) {
    const named = statementError('source', error, `read ${table.name}`);
    const sqlstate = String(named.details['sqlstate'] ?? '');
    // The stream is behind a change of the table: it is a matter of this table, not of the source.
    if (!NOT_AS_DESCRIBED.has(sqlstate)) throw named;
    const what = 'it cannot be read by key any more';
    throw new TandemError('RELATION_CHANGED', { table: table.name, what, sqlstate }, error);
  }
}
