/** What has to be undone, last first. A step says so before it does what may be interrupted. */
export class Cleanup {
  readonly #tasks: (() => Promise<void>)[] = [];

  defer(task: () => Promise<void>): void {
    this.#tasks.push(task);
  }

  /** Runs every task, whatever the others do, and gives their errors. A second call finds nothing. */
  async run(): Promise<unknown[]> {
    const errors: unknown[] = [];
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      try {
        await task();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
