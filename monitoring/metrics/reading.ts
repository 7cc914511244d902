import { Gauge, type Registry } from 'prom-client';

/**
 * A number that somebody has read, and that may be unknown: then nothing is shown, rather than a
 * zero or what was true before.
 */
export class Reading<L extends string = never> {
  readonly #gauge: Gauge<L>;
  readonly #isLabelled: boolean;

  constructor(options: {
    readonly name: string;
    readonly help: string;
    readonly labelNames?: readonly L[];
    readonly registers: Registry[];
  }) {
    const { name, help, registers, labelNames = [] } = options;
    this.#gauge = new Gauge<L>({ name, help, registers, labelNames });
    this.#isLabelled = labelNames.length > 0;
    // A gauge without labels begins with a zero that nobody has read.
    this.forget();
  }

  set(value: number | null, labels: Readonly<Record<L, string>> = {} as Record<L, string>): void {
    if (value !== null) this.#gauge.set(labels, value);
    else if (!this.#isLabelled) this.#gauge.remove();
  }

  /** Every series of it is unknown. */
  forget(): void {
    if (this.#isLabelled) this.#gauge.reset();
    else this.#gauge.remove();
  }
}
