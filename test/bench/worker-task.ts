/** What a worker is asked to do, on one pair of databases. */
export type Task = {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  readonly work:
    | { readonly kind: 'load' }
    | { readonly kind: 'backfill' }
    | { readonly kind: 'verify-target' }
    /** All that are open. */
    | { readonly kind: 'jobs' }
    /** Until this many changes are committed; null: until `stop`. */
    | { readonly kind: 'stream'; readonly events: number | null };
  /** Settings of the log that the stream comes through. Default: none, it comes from the slot. */
  readonly log?: Readonly<Record<string, string>>;
  /** Where a CPU profile of the work goes; null: none is taken. */
  readonly profile: string | null;
};

/** What the engine told its observer. */
export type Told = {
  readonly atMs: number;
  readonly name: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
};

/** What the process has at one moment. */
export type MemorySample = {
  readonly atSeconds: number;
  readonly residentMb: number;
  readonly heapMb: number;
};

export type WorkerReport = {
  /** Of the work alone: the process, its modules and both catalogues were there before. */
  readonly seconds: number;
  /** User and system time of the whole process meanwhile. */
  readonly cpuSeconds: number;
  readonly peakMemoryBytes: number | null;
  /** Every ten seconds. */
  readonly memory: readonly MemorySample[];
  readonly events: number;
  readonly batches: number;
  /** Summed over all batches. */
  readonly phaseMs: Readonly<Record<string, number>>;
  readonly told: readonly Told[];
};

export type ToWorker = Task | 'stop';
export type FromWorker =
  | { readonly kind: 'done'; readonly report: WorkerReport }
  | { readonly kind: 'failed'; readonly message: string };
