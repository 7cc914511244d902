import { TandemProcess, type Settings } from './tandem-process.ts';

/** `tandem relay`, which may end and be started again, with other settings too. */
export class RelayProcess implements AsyncDisposable {
  #settings: Settings;
  #child: TandemProcess;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#child = new TandemProcess(['relay'], settings);
  }

  /** The process as it is now. */
  get now(): TandemProcess {
    return this.#child;
  }

  /** Another process, where this one has ended. */
  start(settings: Settings = {}): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#child = new TandemProcess(['relay'], this.#settings);
  }

  /** Its exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null> {
    return this.#child.stop(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}
