import type pg from 'pg';
import { execute, openClient, textRows, type Database } from '../connectors/postgres/connection.ts';

/** So often the session that keeps a snapshot says that it is alive: the server ends silent ones. */
const ALIVE_MS = 60_000;

/** One moment of the target, seen by as many sessions as are asked for. */
export class Snapshot implements AsyncDisposable {
  readonly #target: Database;
  readonly #keeper: pg.Client;
  readonly #id: string;
  readonly #alive: NodeJS.Timeout;

  private constructor(target: Database, keeper: pg.Client, id: string) {
    this.#target = target;
    this.#keeper = keeper;
    this.#id = id;
    this.#alive = setInterval(() => {
      execute(keeper, 'select').catch(() => undefined);
    }, ALIVE_MS);
    this.#alive.unref();
  }

  static async take(target: Database): Promise<Snapshot> {
    const keeper = await openClient(target, 'verify');
    try {
      await execute(keeper, 'begin transaction isolation level repeatable read, read only');
      const [row] = await textRows(keeper, 'select pg_export_snapshot()');
      return new Snapshot(target, keeper, row?.[0] ?? '');
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  /** The session that keeps it, for single questions. */
  get client(): pg.Client {
    return this.#keeper;
  }

  /** A further session in this moment. Whoever asks ends it. */
  async session(): Promise<pg.Client> {
    const client = await openClient(this.#target, 'verify');
    try {
      await this.enter(client);
      return client;
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  /**
   * Puts a session (back) into this moment: a failed statement has ended its transaction. Where it
   * may write, it commits itself.
   */
  async enter(
    client: pg.ClientBase,
    mode: 'read only' | 'read write' = 'read only',
  ): Promise<void> {
    await execute(client, 'rollback');
    await execute(client, `begin transaction isolation level repeatable read, ${mode}`);
    await execute(client, `set transaction snapshot '${this.#id}'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#alive);
    await this.#keeper.end();
  }
}
