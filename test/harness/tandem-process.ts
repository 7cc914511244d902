import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.ts';

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

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get output(): string {
    return this.#lines.join('');
  }

  /** Its log lines of one event, as they are so far. */
  events(name: string): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => parsed(line))
      .filter((facts) => facts['event'] === name);
  }

  /** Waits until it has logged an event whose facts `match`. */
  async logged(
    name: string,
    match: (facts: Record<string, unknown>) => boolean = () => true,
    timeoutMs = 30_000,
  ): Promise<Record<string, unknown>> {
    const found = waitFor(async () => this.events(name).find(match), {
      timeoutMs,
      what: `the event ${name}`,
    });
    return this.during(found, name, timeoutMs + 1_000);
  }

  /** What is awaited; an error with `note` and the log if the process ends before, or it takes long. */
  async during<T>(awaited: Promise<T>, note: string, timeoutMs = 30_000): Promise<T> {
    const over = new AbortController();
    const late = pause(timeoutMs, 'it took too long', { signal: over.signal });
    const ended = this.exited.then((code) => `it ended with ${code}`);
    const failed = Promise.race([late, ended]).then((reason) => {
      throw new Error(`${note}: ${reason}: ${this.output}`);
    });
    try {
      return await Promise.race([awaited, failed]);
    } finally {
      failed.catch(() => undefined);
      over.abort();
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, if it has not ended, and returns the exit code (null after SIGKILL). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.hasEnded) this.signal(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** The last line may be half written. */
function parsed(line: string): Record<string, unknown>[] {
  try {
    return [JSON.parse(line) as Record<string, unknown>];
  } catch {
    return [];
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
