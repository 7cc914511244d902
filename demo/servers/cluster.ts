import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SystemUser } from './system-user.ts';
import { createWorkFolder } from './work-folder.ts';

/** A data folder and who may work on it. */
export type Cluster = {
  readonly binaries: string;
  readonly dataDirectory: string;
  readonly user: SystemUser;
};

export type Login = { readonly superuser: string; readonly password: string };

/**
 * Nothing of the caller's environment: PGDATESTYLE and the like would change the server, and its
 * messages are read here, in English. macOS needs a valid LC_ALL, or the server does not start.
 */
export const SERVER_ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C' };

const SETTINGS_FILE = 'tandem.conf';

/** What every server of ours starts with; the caller's settings come on top. */
const DEFAULT_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_connections: '200',
  max_replication_slots: '50',
  max_wal_senders: '50',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
} as const satisfies Record<string, string>;

/** Makes a cluster in `dataDirectory` unless it holds one. Every login needs the password. */
export async function createCluster(cluster: Cluster, login: Login): Promise<void> {
  const { binaries, dataDirectory, user } = cluster;
  if (existsSync(join(dataDirectory, 'PG_VERSION'))) return;

  await mkdir(dataDirectory, { recursive: true });
  if (user !== undefined) await chown(dataDirectory, user.uid, user.gid);
  const folder = await createWorkFolder(user);
  try {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, login.password, { mode: 0o600 });
    if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
    await run(join(binaries, 'initdb'), user, [
      `--pgdata=${dataDirectory}`,
      `--username=${login.superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await appendFile(
    join(dataDirectory, 'postgresql.conf'),
    `\ninclude_if_exists '${SETTINGS_FILE}'\n`,
  );
}

/** Settings go into a file, not on the command line, so that `alter system` can change them. */
export async function writeSettings(
  dataDirectory: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const lines = Object.entries({ ...DEFAULT_SETTINGS, ...settings }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  await writeFile(join(dataDirectory, SETTINGS_FILE), lines.join(''), { mode: 0o644 });
}

function run(program: string, user: SystemUser, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...user,
      cwd: '/',
      env: SERVER_ENVIRONMENT,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} failed with ${code}: ${complaint.trim()}`));
    });
  });
}
