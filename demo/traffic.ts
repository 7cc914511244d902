import { Rate } from '../cli/progress.ts';
import { startTraffic, type TrafficReport } from './legacy/traffic.ts';

/** The legacy application, which goes on working while everything else happens. */
export class Traffic {
  readonly #stop = new AbortController();
  readonly #ended: Promise<TrafficReport>;
  readonly #rate = new Rate();
  #changes = 0;

  constructor(options: {
    readonly connectionString: string;
    readonly seed: number;
    readonly changesPerSecond: number;
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#ended = startTraffic({
      ...options,
      signal: this.#stop.signal,
      onTransaction: (changes) => (this.#changes += changes),
    });
    this.#ended.catch(options.onFailure);
  }

  /** Changed rows that it has committed. */
  get changes(): number {
    return this.#changes;
  }

  /** Changes per second, over the last seconds in which this was asked. */
  perSecond(): number | null {
    this.#rate.add(Date.now(), this.#changes);
    return this.#rate.perSecond();
  }

  /** Returns when everything in hand is committed. */
  async stop(): Promise<TrafficReport> {
    this.#stop.abort();
    return this.#ended;
  }
}
