import { execFileSync, spawnSync } from 'node:child_process';

/** The user a server runs as; `undefined` is the user of this process. */
export type SystemUser = { readonly uid: number; readonly gid: number } | undefined;

/** Known to many machines, owns nothing of ours, may not log in. `_postgres` is the one of macOS. */
const UNPRIVILEGED = ['postgres', '_postgres', 'tandem-pg', 'nobody'] as const;

/**
 * PostgreSQL refuses to run as root, so root hands it to an unprivileged user of the machine. Only
 * where none exists, one is created.
 */
export function serverUser(): SystemUser {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of UNPRIVILEGED) {
    const user = lookUp(name);
    if (user !== undefined) return user;
  }
  execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'tandem-pg']);
  return lookUp('tandem-pg');
}

/** True when `user` can run `program`: permissions on the way to it, and its libraries, included. */
export function canRun(user: SystemUser, program: string, args: readonly string[]): boolean {
  const { status } = spawnSync(program, args, { ...user, cwd: '/', stdio: 'ignore' });
  return status === 0;
}

function lookUp(name: string): SystemUser {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
    return status === 0 ? Number.parseInt(stdout, 10) : 0;
  });
  return uid && gid ? { uid, gid } : undefined;
}
