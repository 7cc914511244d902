import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SETTING_NAMES, type SettingName } from '../cli/config.ts';

const TANDEM = fileURLToPath(new URL('../bin/tandem.mjs', import.meta.url));

export type Settings = Readonly<Partial<Record<SettingName, string>>>;

export type ChildOptions = {
  readonly settings: Settings;
  /** Takes the lines of stdout; not given: they go where ours go. */
  readonly onOutput?: (line: string) => void;
  /** Takes the lines of stderr, the log; not given: they go where ours go. */
  readonly onLog?: (line: string) => void;
};

export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A `tandem` command that runs as a process of its own. */
export interface Running {
  readonly pid: number;
  /** Once the process has ended and all its lines were handed over. */
  readonly ended: Promise<Ending>;
  /** Asks it to end, and after `patienceMs` makes it end. */
  stop(patienceMs: number): Promise<Ending>;
  /** Makes it end at once. */
  kill(): Promise<Ending>;
}

/** Starts `tandem <args>`, as somebody would type it, with settings by environment. */
export function startTandem(args: readonly string[], options: ChildOptions): Running {
  const { onOutput, onLog } = options;
  const child = spawn(process.execPath, [TANDEM, ...args], {
    env: environment(options.settings),
    cwd: tmpdir(), // not here: a `.env` of the user is for the user's databases
    // A Ctrl-C of the terminal is for the demo, which then asks its children to end.
    detached: true,
    stdio: ['ignore', onOutput ? 'pipe' : 'inherit', onLog ? 'pipe' : 'inherit'],
  });
  // However this process ends: nothing that it started stays.
  const last = () => void child.kill('SIGKILL');
  process.once('exit', last);
  const handedOver = [readLines(child.stdout, onOutput), readLines(child.stderr, onLog)];
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.removeListener('exit', last);
      void Promise.all(handedOver).then(() => resolve({ code, signal }));
    });
  });
  return {
    pid: child.pid ?? 0,
    ended,
    async stop(patienceMs) {
      child.kill('SIGTERM');
      await withPatience(ended, patienceMs, () => child.kill('SIGKILL'));
      return ended;
    },
    async kill() {
      child.kill('SIGKILL');
      return ended;
    },
  };
}

async function readLines(
  stream: ChildProcess['stdout'],
  take: ((line: string) => void) | undefined,
): Promise<void> {
  if (stream === null || take === undefined) return;
  for await (const line of createInterface({ input: stream })) take(line);
}

async function withPatience(
  ended: Promise<unknown>,
  ms: number,
  giveUp: () => void,
): Promise<void> {
  const timer = new AbortController();
  const late = pause(ms, 'late' as const, { signal: timer.signal }).catch(() => undefined);
  const first = await Promise.race([ended.catch(() => undefined), late]);
  timer.abort();
  if (first === 'late') giveUp();
}

/** Ours, without settings for other databases: neither Tandem's nor those of libpq. */
function environment(settings: Settings): NodeJS.ProcessEnv {
  const foreign = new Set<string>(SETTING_NAMES);
  const kept = Object.entries(process.env).filter(
    ([name]) => !foreign.has(name) && !/^(PG|TANDEM_)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...settings };
}
