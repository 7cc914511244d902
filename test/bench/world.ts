import type { ChildProcess } from 'node:child_process';
import { chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { generateLegacy, type Scale } from '../../demo/legacy/generate.ts';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { serverUser } from '../../demo/servers/system-user.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { execute, valueOf } from './database.ts';
import { runTandem } from './run-tandem.ts';

/**
 * Both servers alike. No autovacuum and no timed checkpoints: they would strike one measurement and
 * spare the next; the benchmark does both itself, between measurements.
 */
const SETTINGS = {
  shared_buffers: '512MB',
  max_wal_size: '16GB',
  min_wal_size: '2GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  track_commit_timestamp: 'on',
};

/** The seed of the synthetic legacy system: the same rows in every run. */
const SEED = 1;

/** A set-up target without rows, from which every measurement of a copy starts. */
export const EMPTY = 'bench_empty';

/**
 * Two servers with the legacy system on one of them. A measurement that changes the target gets a
 * clone of a database that stays as it is.
 */
export class World {
  readonly #source: PostgresServer;
  readonly #target: PostgresServer;
  readonly #children = new Set<ChildProcess>();
  /** The server of the target may write here; it goes when the server goes. */
  readonly folder: string;
  #closing: Promise<void> | null = null;

  private constructor(source: PostgresServer, target: PostgresServer, folder: string) {
    this.#source = source;
    this.#target = target;
    this.folder = folder;
  }

  static async create(): Promise<World> {
    const source = await startPostgres({ settings: SETTINGS });
    try {
      const target = await startPostgres({ settings: SETTINGS });
      const folder = join(dirname(target.dataDirectory), 'bench');
      await mkdir(folder);
      const user = serverUser();
      if (user !== undefined) await chown(folder, user.uid, user.gid);
      return new World(source, target, folder);
    } catch (error) {
      await source.stop();
      throw error;
    }
  }

  /** Fills the source and sets the empty target up, with a slot of the source. */
  async fill(scale: Scale): Promise<void> {
    await generateLegacy({ connectionString: this.sourceUrl, seed: SEED, scale });
    await execute(this.sourceUrl, 'vacuum analyze');
    await execute(this.targetUrl('postgres'), `create database ${EMPTY} template template0`);
    await runTandem(this, ['setup'], this.targetUrl(EMPTY));
  }

  get sourceUrl(): string {
    return this.#source.connectionString();
  }

  targetUrl(database: string): string {
    return this.#target.connectionString(database);
  }

  /** Ends with the world. */
  adopt(child: ChildProcess): void {
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
  }

  /** A copy of a database of the target, under a new name; an earlier one of that name goes. */
  async clone(name: string, from: string): Promise<string> {
    await this.drop(name);
    const admin = this.targetUrl('postgres');
    for (let attempt = 1; ; attempt++) {
      try {
        const sql = `create database ${ident(name)} template ${ident(from)} strategy file_copy`;
        await execute(admin, sql);
        return this.targetUrl(name);
      } catch (error) {
        // A session that was just closed needs a moment to be gone.
        const isBusy = (error as { code?: unknown }).code === '55006';
        if (!isBusy || attempt === 50) throw error;
        await pause(100);
      }
    }
  }

  async drop(name: string): Promise<void> {
    await execute(
      this.targetUrl('postgres'),
      `drop database if exists ${ident(name)} with (force)`,
    );
  }

  /** Before a measurement: neither server owes the disk anything. */
  async settle(): Promise<void> {
    await execute(this.sourceUrl, 'checkpoint');
    await execute(this.targetUrl('postgres'), 'checkpoint');
  }

  async sourceRows(table: string): Promise<number> {
    return Number(await valueOf(this.sourceUrl, `select count(*) from public.${ident(table)}`));
  }

  /** Stops everything and leaves nothing behind. May be called again. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all([this.#source.stop(), this.#target.stop()]);
  }
}
