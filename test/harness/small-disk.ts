import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createWorkFolder } from '../../demo/servers/work-folder.ts';
import { serverUser } from '../../demo/servers/system-user.ts';

/** A file system of a fixed size. */
type SmallDisk = AsyncDisposable & {
  readonly folder: string;
  /** Takes all the room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  makeRoom(): Promise<void>;
};

/** Mounts, and takes it off again when its input ends: also when the test was killed. */
const KEEPER = `mount -t tmpfs -o "size=$2m,mode=755,uid=$3,gid=$4" tandem-small-disk "$1" || exit 1
echo mounted
cat > /dev/null
umount -l "$1"
rmdir "$1"`;

/**
 * A memory file system of `megabytes`; null where this user may not mount one (it takes root, and
 * inside of a container the capability too).
 */
export async function smallDisk(megabytes: number): Promise<SmallDisk | null> {
  const user = serverUser();
  const folder = await createWorkFolder(user);
  const owner = [user?.uid ?? process.getuid?.() ?? 0, user?.gid ?? process.getgid?.() ?? 0];
  const args = [folder, String(megabytes), ...owner.map(String)];
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'tandem-small-disk', ...args], {
    detached: true, // a Ctrl-C of the terminal must not end it before its time
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(keeper, 'exit');
  const isMounted = await Promise.race([
    once(keeper.stdout, 'data').then(() => true),
    ended.then(() => false),
  ]);
  if (!isMounted) {
    await rm(folder, { recursive: true });
    return null;
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill: () => fillFile(ballast),
    makeRoom: () => rm(ballast, { force: true }),
    async [Symbol.asyncDispose]() {
      keeper.stdin.end();
      await ended;
    },
  };
}

async function fillFile(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (let piece = Buffer.alloc(1 << 20); ;) {
      const { bytesWritten } = await file.write(piece).catch(() => ({ bytesWritten: 0 }));
      if (bytesWritten === 0 && piece.length === 512) return;
      if (bytesWritten < piece.length) piece = Buffer.alloc(Math.max(512, piece.length >> 1));
    }
  } finally {
    await file.close();
  }
}
