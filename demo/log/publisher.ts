/** Whoever reads the slot and writes the log. */
export type Publisher = {
  /** Of processes that the demo has started for it. */
  readonly pids: readonly number[];
  /** The slot stays where it was confirmed. */
  readonly stop: () => Promise<void>;
};
