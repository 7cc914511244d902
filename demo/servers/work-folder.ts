import { chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canRun, type SystemUser } from './system-user.ts';

/** A temp folder that `user` can enter. root's own may be closed to others (TMPDIR, pam_tmpdir). */
export function sharedTempFolder(user: SystemUser): string {
  const folders = [tmpdir(), '/tmp', '/var/tmp'];
  const open = folders.find((folder) => canRun(user, 'test', ['-x', folder]));
  if (open === undefined) throw new Error(`no temp folder is open to the user of the server`);
  return open;
}

/** A new folder that only `user` (and root) can read. */
export async function createWorkFolder(user: SystemUser, prefix = 'tandem-pg-'): Promise<string> {
  const folder = await mkdtemp(join(sharedTempFolder(user), prefix));
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  return folder;
}
