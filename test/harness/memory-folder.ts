import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../demo/servers/is-alive.ts';

/** Linux's file system in memory, which every program may write to. */
const MEMORY = '/dev/shm';
const PREFIX = 'tandem-tests-';
/** The tests' files take up to 1 GiB, their processes some 3: the rest is for what is not known yet. */
const NEEDED_BYTES = 8 * 2 ** 30;

/**
 * A new folder in memory for the files of a run, or null where there is no room for it. Thousands of
 * databases are made and dropped again, each of some 300 files: on a disk that is a fifth of all that
 * the tests take. Folders of runs that were killed are removed.
 */
export async function memoryFolder(): Promise<string | null> {
  if (!existsSync(MEMORY)) return null;
  for (const name of await readdir(MEMORY)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : null;
    // Ids come again, in containers often: one that is there with ours is not ours.
    const isOver = pid !== null && (pid === process.pid || !isAlive(pid));
    if (isOver) await removeFolder(join(MEMORY, name));
  }
  const { bavail, bsize } = await statfs(MEMORY);
  if (Math.min(bavail * bsize, availableBytes()) < NEEDED_BYTES) return null;
  const folder = join(MEMORY, `${PREFIX}${process.pid}`);
  await mkdir(folder);
  await chmod(folder, 0o1777); // the servers' own user has its files there too
  return folder;
}

export const removeFolder = (folder: string) => rm(folder, { recursive: true, force: true });

/** What programs may still ask for without others having to give it up. */
function availableBytes(): number {
  const found = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(found?.[1] ?? 0) * 1024;
}
