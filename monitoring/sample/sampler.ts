import type { Database } from '../../connectors/postgres/connection.ts';
import type { Mapping } from '../../core/entity.ts';
import type { Clock, Observer } from '../../core/ports.ts';
import { account, type EntityAccount } from '../account.ts';
import { ask, type Answer } from './ask.ts';
import { sampleSource, type SourceSample } from './source-sample.ts';
import { sampleTarget, underived, type TargetSample } from './target-sample.ts';

/** One look at both databases. A target of null: it is not set up. */
export type Sample = {
  readonly atMs: number;
  readonly source: Answer<SourceSample>;
  readonly target: Answer<TargetSample | null>;
};

type SamplerOptions = {
  readonly source: Database;
  readonly target: Database;
  readonly stream: string;
  readonly slot: string;
  readonly mapping: Mapping;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  readonly onSample: (sample: Sample) => void;
  readonly onAccount: (accounts: readonly EntityAccount[], atMs: number) => void;
};

const SAMPLE_MS = 5_000;
const SAMPLE_DEADLINE_MS = 10_000;
/** The account counts whole tables. */
const ACCOUNT_MS = 5 * 60_000;
const ACCOUNT_DEADLINE_MS = 10 * 60_000;
/** What takes long is done more rarely: at most this share of the time is spent on it. */
const SHARE = 1 / 20;

/** Looks at both databases every few seconds, and counts the account every few minutes. */
export class Sampler {
  readonly #options: SamplerOptions;
  /** What was asked in vain: it is told of once. */
  readonly #unanswered = new Set<string>();
  #isDerived = false;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    await Promise.all([this.#repeat(SAMPLE_MS, () => this.#look()), this.#countWhenDerived()]);
  }

  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      const start = clock.now();
      await work();
      const tookMs = Math.max(0, clock.now() - start);
      await clock.sleep(Math.max(everyMs - tookMs, tookMs / SHARE), signal);
    }
  }

  async #look(): Promise<void> {
    const { source, target, slot, stream, clock, signal, mapping, onSample } = this.#options;
    const limits = { deadlineMs: SAMPLE_DEADLINE_MS, signal };
    const [ofSource, ofTarget] = await Promise.all([
      ask(source, limits, (client) => sampleSource(client, slot, clock)),
      ask(target, limits, (client) => sampleTarget(client, stream)),
    ]);
    if (signal.aborted) return;
    this.#tellFailure('source', ofSource);
    this.#tellFailure('target', ofTarget);
    this.#isDerived = 'value' in ofTarget && isComplete(mapping, ofTarget.value);
    onSample({ atMs: clock.now(), source: ofSource, target: ofTarget });
  }

  #tellFailure(asked: string, answer: Answer<unknown>): void {
    if (!('failure' in answer)) this.#unanswered.delete(asked);
    else if (!this.#unanswered.has(asked)) {
      this.#unanswered.add(asked);
      const facts = { asked, error: answer.failure.message };
      this.#options.observer.event('metrics.unanswered', facts, 'warn');
    }
  }

  /** Counting beside the backfill would slow it down, to learn that it is not over. */
  async #countWhenDerived(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!this.#isDerived && !signal.aborted) await clock.sleep(SAMPLE_MS, signal);
    await this.#repeat(ACCOUNT_MS, () => this.#count());
  }

  async #count(): Promise<void> {
    const { target, mapping, clock, signal, onAccount } = this.#options;
    const limits = { deadlineMs: ACCOUNT_DEADLINE_MS, signal };
    const answer = await ask(target, limits, (client) => account(client, mapping));
    if (signal.aborted) return;
    this.#tellFailure('account', answer);
    if ('value' in answer) onAccount(answer.value, clock.now());
  }
}

function isComplete(mapping: Mapping, target: TargetSample | null): boolean {
  if (target === null || target.loadedTables < target.tables) return false;
  return underived(mapping, target).length === 0;
}
