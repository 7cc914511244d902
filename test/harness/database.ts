import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { waitFor } from './wait-for.ts';

export type Row = Record<string, unknown>;

/** Which of the two test servers. With `TEST_PG_URL` both are that one. */
type Side = 'source' | 'target';

/** A database that nobody else uses, on a server that others do use. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly connectionString: string;
  /** Rows of one statement, or of the last one of several without parameters. */
  query(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** A connection of its own, for transactions and locks. Ends with the database. */
  client(): Promise<pg.Client>;
}

export interface TestPair extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
}

type DatabaseOptions = {
  readonly on?: Side;
  /** Instead of `on`: the connection string of a server of the test's own. */
  readonly server?: string;
  readonly encoding?: string;
  /** It is not dropped: its server ends with the test, or before. */
  readonly goesWithServer?: boolean;
};

/** A new, empty database; `await using` drops it with its slots and connections. */
export async function freshDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = options.server ?? testServerUrl(options.on ?? 'target');
  const name = `tandem_test_${process.pid}_${randomBytes(5).toString('hex')}`;
  await asAdmin(serverUrl, async (admin) => {
    // Through the WAL it would be 7 MB there, and every reader of a slot decodes the WAL of all.
    const strategy = (await versionOf(admin)) >= 150_000 ? 'strategy file_copy' : '';
    await admin.query(
      `create database ${name} template template0 encoding '${options.encoding ?? 'UTF8'}'
       lc_collate 'C' lc_ctype 'C' ${strategy}`,
    );
  });
  return new Database(serverUrl, name, options.goesWithServer === true);
}

/** A database that is there; `await using` ends the connections to it. */
export function openDatabase(serverUrl: string, name: string): TestDatabase {
  return new Database(serverUrl, name, true);
}

/** A database on each of the two servers. */
export async function freshPair(): Promise<TestPair> {
  const [source, target] = await Promise.all([
    freshDatabase({ on: 'source' }),
    freshDatabase({ on: 'target' }),
  ]);
  return {
    source,
    target,
    async [Symbol.asyncDispose]() {
      await Promise.all([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()]);
    },
  };
}

/** Where the shared server of that side listens: with the maintenance database `postgres`. */
export function testServerUrl(side: Side): string {
  return inject(side === 'source' ? 'sourceUrl' : 'targetUrl');
}

class Database implements TestDatabase {
  readonly name: string;
  readonly connectionString: string;
  readonly #serverUrl: string;
  readonly #pool: pg.Pool;
  readonly #clients: pg.Client[] = [];
  readonly #stays: boolean;

  constructor(serverUrl: string, name: string, stays: boolean) {
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    this.name = name;
    this.connectionString = url.href;
    this.#serverUrl = serverUrl;
    this.#stays = stays;
    this.#pool = new pg.Pool({ connectionString: url.href, max: 4 });
    this.#pool.on('error', ignore);
  }

  async query(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    // Several statements in one text need the simple protocol, which takes no parameters.
    const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] =
      params.length === 0
        ? await this.#pool.query<Row>(sql)
        : await this.#pool.query<Row>(sql, [...params]);
    const last = Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1) : result;
    return last?.rows ?? [];
  }

  async client(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.connectionString });
    client.on('error', ignore);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stays) await this.#drop();
    await Promise.all([this.#pool, ...this.#clients].map((each) => each.end().catch(ignore)));
  }

  async #drop(): Promise<void> {
    await asAdmin(this.#serverUrl, async (admin) => {
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
        [this.name],
      );
      await waitFor(() => hasNoSlots(admin, this.name), {
        timeoutMs: 10_000,
        what: `the slots of ${this.name} to be dropped`,
      });
      // A connection that was ended may need a moment longer; PostgreSQL 12 cannot force it.
      const force = (await versionOf(admin)) >= 130_000 ? 'with (force)' : '';
      await admin.query(`drop database if exists ${this.name} ${force}`);
    });
  }
}

/** As `server_version_num` says it: 180001. */
async function versionOf(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query<{ it: string }>(
    `select current_setting('server_version_num') as it`,
  );
  return Number(rows[0]?.it);
}

/** Drops what is not in use. A walsender whose connection was just ended needs a moment to let go. */
async function hasNoSlots(admin: pg.Client, database: string): Promise<boolean> {
  await admin.query(
    `select pg_terminate_backend(active_pid) from pg_replication_slots
     where database = $1 and active_pid is not null`,
    [database],
  );
  await admin
    .query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots
       where database = $1 and active_pid is null`,
      [database],
    )
    .catch(ignore);
  const { rowCount } = await admin.query('select from pg_replication_slots where database = $1', [
    database,
  ]);
  return rowCount === 0;
}

async function asAdmin<T>(serverUrl: string, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: serverUrl });
  admin.on('error', ignore);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

/** Losing a connection is part of many tests; a query on it fails with its own error. */
const ignore = (): void => undefined;
