import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/tandem.mjs', import.meta.url));

export type Settings = Readonly<Record<string, string>>;

/** A real `tandem` process. Its log lines are kept for the message of a failure. */
export class TandemProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly exited: Promise<number | null>;

  constructor(args: readonly string[], settings: Settings) {
    this.#child = spawn(process.execPath, [BIN, ...args], {
      env: { ...process.env, LOG_FORMAT: 'json', ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data: Buffer) => this.#lines.push(data.toString('utf8')));
    }
    this.exited = once(this.#child, 'exit').then(([code]) => code as number | null);
  }

  get output(): string {
    return this.#lines.join('');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, if it has not ended, and returns the exit code (null after SIGKILL). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** Runs a command to its end. */
export async function tandem(
  args: readonly string[],
  settings: Settings,
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using child = new TandemProcess(args, settings);
  const code = await child.exited;
  return { code, output: child.output };
}
