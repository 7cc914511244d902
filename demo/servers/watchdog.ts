import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { SystemUser } from './system-user.ts';

/** What is left to do when this process ends without `disarm`, however it ends. */
type LastWill = {
  /** Its first line is the number of the process to end; no file, nothing to end. */
  readonly pidFile: string;
  /** How it is ended. What does not heed that is killed. */
  readonly signal: 'QUIT' | 'KILL';
  readonly user: SystemUser;
  /** Removed after the server has stopped. */
  readonly remove?: string | undefined;
};

export type Watchdog = { disarm(): void };

/**
 * The read ends when the last word comes, or when our end of the pipe closes: the kernel does that
 * even after SIGKILL. The second removal is for what a process that was just ending has written
 * meanwhile.
 */
const SCRIPT = `
pidfile=$1 signal=$2 remove=$3
read -r word
[ "$word" = disarm ] && exit 0
pid=$(head -n 1 "$pidfile" 2>/dev/null)
if [ -n "$pid" ] && kill -"$signal" "$pid" 2>/dev/null; then
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid" 2>/dev/null
fi
[ -n "$remove" ] || exit 0
rm -rf "$remove" 2>/dev/null || { sleep 1; rm -rf "$remove"; }
sleep 1
rm -rf "$remove"
`;

/**
 * A small process that outlives this one and stops the server after it. It needs no handlers for
 * `exit`, SIGINT or uncaught errors: all of them close the pipe.
 */
export function startWatchdog(will: LastWill): Watchdog {
  const args = ['-c', SCRIPT, 'tandem-watchdog', will.pidFile, will.signal, will.remove ?? ''];
  const child = spawn('/bin/sh', args, {
    ...will.user,
    cwd: '/',
    detached: true, // its own session: a Ctrl-C of the terminal must not end it
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return { disarm: () => void child.stdin.end('disarm\n') };
}
