import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from './is-alive.ts';

/** Where what was fetched once stays for all checkouts of this user. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tandem');
}

type Filling = {
  /** The folder to be there. Its name says what is in it, versions included. */
  readonly folder: string;
  /** A file: whoever fills holds it. Those that must not work at once have it in common. */
  readonly turn: string;
  /** Completes "timed out waiting for". */
  readonly what: string;
  readonly timeoutMs: number;
  /** Puts everything into an empty folder, which then takes its place as a whole. */
  fill(fresh: string): Promise<void>;
};

/** Fills a folder unless it is there. Of several processes one does it, and the others wait. */
export async function filledOnce(filling: Filling): Promise<string> {
  const { folder, turn } = filling;
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  await waitForTurn(filling);
  try {
    if (!existsSync(folder)) await fillBeside(filling);
  } finally {
    await rm(turn, { force: true });
  }
  return folder;
}

/** Beside the cache, then renamed: who looks for it finds all of it or nothing. */
async function fillBeside(filling: Filling): Promise<void> {
  const { folder } = filling;
  const fresh = await mkdtemp(`${folder}-`);
  try {
    await filling.fill(fresh);
    await rename(fresh, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // otherwise another process was faster
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function waitForTurn({ turn, what, timeoutMs }: Filling): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await takeTurn(turn))) {
    if (Date.now() >= deadline) {
      throw new Error(
        `timed out waiting for ${what}: another process is at it (its number is in ${turn})`,
      );
    }
    await pause(200);
  }
}

/** A process that was killed leaves its file behind: that of a dead one counts for nothing. */
async function takeTurn(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = Number(await readFile(file, 'utf8').catch(() => '')); // 0: not written yet
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
    return false;
  }
}
