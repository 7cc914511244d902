/** Lets one waiter sleep until something has happened; a ring that nobody waits for is kept. */
export class Doorbell {
  #hasRung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** Returns at the next ring, at once where one was kept, or after `timeoutMs`. */
  async wait(timeoutMs: number | null): Promise<void> {
    if (!this.#hasRung) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (timeoutMs !== null) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#hasRung = false;
  }
}
