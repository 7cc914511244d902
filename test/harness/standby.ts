import { execFile } from 'node:child_process';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '../../demo/servers/postgres.ts';
import { serverUser } from '../../demo/servers/system-user.ts';
import { createWorkFolder } from '../../demo/servers/work-folder.ts';
import { waitFor } from './wait-for.ts';

/** A copy of a server that follows it, until it is promoted. */
export type Standby = {
  readonly server: PostgresServer;
  /** Follows no more, and takes writes. */
  promote(): Promise<void>;
  /** Receives nothing more from its primary. */
  cutOff(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const run = promisify(execFile);
/** The physical slot by which the primary keeps what the standby has not received. */
export const STANDBY_SLOT = 'standby';

/** Takes a base backup of `primary`, as pg_basebackup would (npm does not bring it), and starts it. */
export async function startStandby(
  primary: PostgresServer,
  options: { readonly binaries: string; readonly settings?: Readonly<Record<string, string>> },
): Promise<Standby> {
  const user = serverUser();
  const folder = await createWorkFolder(user);
  const data = join(folder, 'data');
  await backUp(primary, data);
  for (const name of ['postmaster.pid', 'postmaster.opts', 'pg_replslot']) {
    await rm(join(data, name), { recursive: true, force: true });
  }
  await mkdir(join(data, 'pg_replslot'), { mode: 0o700 });
  await writeFile(join(data, 'standby.signal'), '');
  if (user !== undefined) {
    for (const name of ['pg_replslot', 'standby.signal', 'backup_label']) {
      await chown(join(data, name), user.uid, user.gid);
    }
  }
  const login = new URL(primary.connectionString());
  const server = await startPostgres({
    binaries: options.binaries,
    dataDirectory: data,
    password: decodeURIComponent(login.password),
    settings: {
      fsync: 'off',
      hot_standby_feedback: 'on',
      primary_slot_name: STANDBY_SLOT,
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres dbname=postgres password=${login.password}`,
      ...options.settings,
    },
  });
  const ask = (sql: string) => query(server, sql);
  return {
    server,
    async promote() {
      await ask('select pg_promote()');
      await waitFor(
        async () => (await ask('select pg_is_in_recovery() as it'))[0]?.['it'] === false,
        {
          what: 'the standby to be promoted',
        },
      );
    },
    async cutOff() {
      await ask(`alter system set primary_conninfo = ''`);
      await ask('select pg_reload_conf()');
      await waitFor(async () => (await ask('select from pg_stat_wal_receiver')).length === 0, {
        what: 'the standby to receive nothing more',
      });
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The primary goes on meanwhile: what it writes comes to the standby through the slot. */
async function backUp(primary: PostgresServer, data: string): Promise<void> {
  const client = new pg.Client({ connectionString: primary.connectionString() });
  await client.connect();
  try {
    await client.query(`select pg_create_physical_replication_slot('${STANDBY_SLOT}', true)`);
    await client.query(`select pg_backup_start('standby', true)`);
    await run('cp', ['-a', primary.dataDirectory, data]);
    const { rows } = await client.query<{ labelfile: string }>(
      'select labelfile from pg_backup_stop(false)',
    );
    await writeFile(join(data, 'backup_label'), rows[0]?.labelfile ?? '');
  } finally {
    await client.end();
  }
}

async function query(server: PostgresServer, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: server.connectionString() });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
