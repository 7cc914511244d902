import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVER_ENVIRONMENT, type Cluster } from './cluster.ts';

/** The main process of a running server. */
export type Postmaster = {
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** True when it has ended within `timeoutMs`. */
  hasEnded(timeoutMs: number): Promise<boolean>;
};

/** Why a server did not come up, as far as another attempt can help. */
type StartFailure = 'portTaken' | 'oldProcessesStillThere' | 'broken';

export class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: StartFailure;

  constructor(log: string) {
    super(`PostgreSQL did not start: ${log.trim()}`);
    this.reason = startFailure(log);
  }
}

const START_TIMEOUT_MS = 60_000; // crash recovery of a large bench included

/** Starts the server and returns when it accepts connections. */
export async function startPostmaster(
  cluster: Cluster,
  port: number,
  logFile: string,
): Promise<Postmaster> {
  const log = openSync(logFile, 'a');
  const logStart = (await readFile(logFile)).length;
  const program = join(cluster.binaries, 'postgres');
  const child = spawn(program, ['-D', cluster.dataDirectory, '-p', String(port)], {
    ...cluster.user,
    cwd: '/',
    env: SERVER_ENVIRONMENT,
    detached: true, // a Ctrl-C of the terminal is for the program, which then stops the server
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  const ended = new Promise<true>((resolve) => {
    child.once('exit', () => resolve(true));
    child.once('error', () => resolve(true));
  });

  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady(cluster.dataDirectory, child))) {
    if ((await within(ended, 20)) || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new StartError((await readFile(logFile)).subarray(logStart).toString());
    }
  }
  return {
    pid: child.pid ?? 0,
    signal: (name) => void child.kill(name),
    hasEnded: (timeoutMs) => within(ended, timeoutMs),
  };
}

/** Reads the reason from what the server logged. */
export function startFailure(log: string): StartFailure {
  if (/could not bind|Address already in use/.test(log)) return 'portTaken';
  if (/pre-existing shared memory block|lock file .* already exists/.test(log)) {
    return 'oldProcessesStillThere';
  }
  return 'broken';
}

/** The server writes its state into the last line of its pid file, as `pg_ctl` expects it. */
async function isReady(dataDirectory: string, child: ChildProcess): Promise<boolean> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return lines[0] === String(child.pid) && lines[7]?.trim() === 'ready';
}

/** A timer that holds the process open: the child itself does not. */
async function within(ended: Promise<true>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const answer = await Promise.race([ended, late]);
  timer.abort();
  return answer;
}
