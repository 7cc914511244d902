import { Rate } from '../cli/progress.ts';
import { startTandem, type Ending, type Running } from './child.ts';
import { logText, parseLogLine } from './log-line.ts';
import { StepFailed, type Servers, type Stage } from './stage.ts';

const PATIENCE_MS = 6_000;

const RUN: readonly string[] = ['run'];

/** `tandem run`, or `tandem relay`, as a process of its own, and what its log tells. */
export class Stream {
  readonly #child: Running;
  readonly #rate = new Rate();
  readonly #warnings: string[] = [];
  #lines: string[] = [];
  #changes = 0;
  #isStopping = false;
  #started: () => void = () => undefined;
  /** Once it reads the slot. */
  readonly started = new Promise<void>((resolve) => (this.#started = resolve));

  /** @param args of the command line */
  #moved: () => void = () => undefined;
  /** Once it has told of changes that are in the target. */
  readonly moved = new Promise<void>((resolve) => (this.#moved = resolve));

  constructor({ cleanup, interruption }: Stage, servers: Servers, args = RUN) {
    this.#child = startTandem(args, {
      settings: { ...servers.settings, LOG_LEVEL: 'info', LOG_FORMAT: 'json', STATUS_SECONDS: '1' },
      onOutput: () => undefined,
      onLog: (line) => this.#read(line),
    });
    cleanup.defer(async () => void (await this.stop()));
    const onEnd = (error: unknown) => {
      if (!this.#isStopping) interruption.interrupt({ kind: 'failed', error });
    };
    this.#child.ended.then(({ code, signal }) => {
      const how = code === null ? `by ${signal ?? 'a signal'}` : `with exit code ${code}`;
      onEnd(new StepFailed(`tandem ${args.join(' ')} ended early ${how}`, this.#lines));
    }, onEnd);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Changes that were committed in the target. */
  get changes(): number {
    return this.#changes;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  perSecond(): number | null {
    this.#rate.add(Date.now(), this.#changes);
    return this.#rate.perSecond();
  }

  /** SIGTERM, and what came of it. */
  async stop(): Promise<Ending> {
    this.#isStopping = true;
    return this.#child.stop(PATIENCE_MS);
  }

  /** SIGKILL: it has no time for anything. */
  async kill(): Promise<Ending> {
    this.#isStopping = true;
    return this.#child.kill();
  }

  #read(text: string): void {
    const line = parseLogLine(text);
    if (line === null) {
      this.#lines = [...this.#lines, text].slice(-8);
      return;
    }
    if (line.event === 'streaming' || line.event === 'relaying') this.#started();
    if (line.event === 'streamed') this.#changes += Number(line.facts['changes'] ?? 0);
    if (this.#changes > 0) this.#moved();
    if (line.level === 'warn' || line.level === 'error') this.#warnings.push(logText(line));
  }
}
