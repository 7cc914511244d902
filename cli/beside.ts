import { alone } from '../backfill/alone.ts';
import { awaitJoin, joinTables, type JoinContext } from '../backfill/join.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import { Doorbell } from '../core/doorbell.ts';
import { isDone, isHarmless, plansFor, settleTable } from '../consumers/settle-mirror.ts';
import { readTableRecords } from '../consumers/table-state.ts';
import { TandemError } from '../core/errors.ts';
import type { EngineContext } from './engine.ts';
import { keepsVanished, stopJoin } from './set-table-aside.ts';
import { sourceFacts, type Settled } from './settle.ts';

const CHECK_MS = 30_000;

/**
 * What goes on beside a session of the stream: tables that join it are read, and the catalogues are
 * looked at again and again, because a change of a table is in the log only once a row changes.
 */
export class Beside {
  readonly #context: EngineContext;
  readonly #settled: Settled;
  readonly #again = new AbortController();
  readonly #bell = new Doorbell();
  #failure: Error | null = null;

  constructor(context: EngineContext, settled: Settled) {
    this.#context = context;
    this.#settled = settled;
  }

  /** Aborts when another session has to go on. */
  get again(): AbortSignal {
    return this.#again.signal;
  }

  /** What made it end, if it was not a table that is ready. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Looks at the catalogues now. */
  look(): void {
    this.#bell.ring();
  }

  /** Ends with `signal`; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const whole = AbortSignal.any([signal, this.again]);
    await Promise.all([
      this.#guard(whole, () => this.#await(whole)),
      this.#guard(whole, () => this.#join(whole)),
      this.#guard(whole, () => this.#watch(whole)),
    ]);
  }

  async #guard(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#again.abort();
    }
  }

  #joinContext(signal: AbortSignal): JoinContext {
    const { config, mapping, observer, clock } = this.#context;
    const { source, target, backfillWorkers: workers, chunkRows } = config;
    return { source, target, mapping, workers, chunkRows, observer, clock, signal };
  }

  async #await(signal: AbortSignal): Promise<void> {
    const { waiting } = this.#settled;
    if (waiting.length === 0) return;
    await awaitJoin(this.#joinContext(signal), waiting, () => this.#again.abort());
  }

  /** One after the other: then it is known which one failed. */
  async #join(signal: AbortSignal): Promise<void> {
    const { joining, records } = this.#settled;
    for (const table of joining) {
      const joinsAt = records.get(table.name)?.joinsAt;
      if (joinsAt == null) continue;
      const wasTruncated = (name: string) => records.get(name)?.cause === 'truncate';
      const keeps = keepsVanished(this.#context, wasTruncated);
      const places = new Map([[table.name, joinsAt]]);
      const work = (whole: AbortSignal) =>
        joinTables(this.#joinContext(whole), [table], places, keeps);
      try {
        if (!(await this.#unlessAnother(signal, work))) return;
      } catch (error) {
        if (signal.aborted || !(error instanceof TandemError) || error.retry === 'timed')
          throw error;
        await stopJoin(this.#context, table.name, error);
      }
      this.#again.abort();
      return;
    }
  }

  /**
   * Does `work`, which one of those who share a stream does at a time. False: another one has begun;
   * what it has done shows in the catalogues, and if it dies, one that opens its session anew goes on.
   */
  async #unlessAnother(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    const { config, clock } = this.#context;
    const { target, stream } = config;
    try {
      await alone({ target, stream, signal, work });
      return true;
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'BACKFILL_RUNNING') throw error;
      await clock.sleep(CHECK_MS, signal).catch(() => undefined);
      if (!signal.aborted) this.#again.abort();
      return false;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { catalogueCheckMs = CHECK_MS } = this.#context;
    const ring = () => this.#bell.ring();
    signal.addEventListener('abort', ring);
    try {
      while (!signal.aborted) {
        await this.#bell.wait(catalogueCheckMs);
        if (signal.aborted) return;
        // A source that cannot be reached is no change: the stream itself will say so.
        if (await this.#hasChanged().catch(() => false)) this.#again.abort();
      }
    } finally {
      signal.removeEventListener('abort', ring);
    }
  }

  /** Whether this session does not fit any more. What concerns nobody is only noted. */
  async #hasChanged(): Promise<boolean> {
    const { config, mapping, observer } = this.#context;
    return await withBoth(config, 'catalogue', async (source, target) => {
      const facts = await sourceFacts(source, config, mapping, false);
      const records = await readTableRecords(target);
      for (const [name, { state }] of this.#settled.records) {
        if (records.get(name)?.state !== state) return true;
      }
      const plans = await plansFor(target, facts, records);
      for (const plan of plans) {
        const record = records.get(plan.name);
        if (isDone(plan, record)) continue;
        if (record === undefined || !isHarmless(plan, record)) return true;
        await settleTable(target, { plan, record, isStreaming: true }, observer);
      }
      return false;
    });
  }
}
