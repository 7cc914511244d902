import { backoffMs } from '../connectors/postgres/backoff.ts';
import { PostgresSourceReader } from '../connectors/postgres/barrier.ts';
import { openClient, statementError, withClient } from '../connectors/postgres/connection.ts';
import { runHeartbeat } from '../connectors/postgres/heartbeat.ts';
import { judgeSlot } from '../connectors/postgres/judge-slot.ts';
import { mirrorTables } from '../connectors/postgres/mirror-tables.ts';
import { PostgresSource } from '../connectors/postgres/replication-source.ts';
import { readSlot } from '../connectors/postgres/slot.ts';
import { clockAheadMs } from '../connectors/postgres/source-clock.ts';
import { alone } from '../backfill/alone.ts';
import { backfill, remaining, type Remaining } from '../backfill/backfill.ts';
import { Applier } from '../consumers/apply.ts';
import type { ApplyOptions } from '../consumers/apply-context.ts';
import { buildModel, type Model } from '../consumers/model.ts';
import {
  followTimeline,
  readCursor,
  readPosition,
  readUntil,
  takeOver,
  type StoredPosition,
} from '../consumers/position.ts';
import { stream, type Session } from '../consumers/stream.ts';
import { readTargetTables } from '../consumers/target-tables.ts';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { ChangeSource, Clock, Observer } from '../core/ports.ts';
import { readUsages } from '../core/usage.ts';
import type { Config } from './config.ts';
import { withinMemory } from './memory-guard.ts';
import { readStream } from './read-stream.ts';

export type EngineContext = {
  readonly config: Config;
  readonly mapping: Mapping;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Put around the source of the stream. */
  readonly watch?: (source: ChangeSource) => ChangeSource;
};

/** Root rows that a worker of the bulk derive has in memory. */
const PORTION_ROWS = 10_000;

/**
 * A batch is in memory as events, as arrays for the merge, as trees and as target rows, beside a
 * second one that arrives meanwhile: so much of the limit may be its wire form.
 */
const BATCH_SHARE = 1 / 20;

/** Until a job is asked for again that another process has. */
const JOB_TAKEN_MS = 100;

/** The parts of the engine put together for one pair of databases, in direct mode. */
export class Engine {
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #reader: PostgresSourceReader;
  #sourceClockAheadMs = 0;

  private constructor(context: EngineContext, model: Model) {
    this.#context = context;
    this.#model = model;
    this.#reader = new PostgresSourceReader({
      database: context.config.source,
      clock: context.clock,
    });
  }

  /** Reads both catalogues. Throws `TABLE_MISSING` where mapping and databases do not fit. */
  static async open(context: EngineContext): Promise<Engine> {
    const { config, mapping } = context;
    const { tables } = readUsages(mapping);
    const wanted = new Map(
      [...tables].map(([name, { key, columns }]) => [name, { key, columns: [...columns] }]),
    );
    return withClient(config.source, 'catalogue', (source) =>
      withClient(config.target, 'catalogue', async (target) => {
        const mirror = await mirrorTables(source, wanted);
        if ((await readPosition(target, config.stream)) === null) {
          throw new TandemError('NOT_SET_UP', { stream: config.stream });
        }
        const targets = await readTargetTables(target, mapping);
        return new Engine(context, buildModel(mapping, [...mirror.values()], targets));
      }),
    );
  }

  /** The same engine, telling somebody else. */
  telling(observer: Observer): Engine {
    return new Engine({ ...this.#context, observer }, this.#model);
  }

  get model(): Model {
    return this.#model;
  }

  /**
   * What the target remembers, after comparing it with the source and its slot.
   *
   * @throws TandemError `NOT_SET_UP`, `WRONG_SERVER`, `SLOT_MISSING`, `SLOT_AHEAD` and the like
   */
  async position(): Promise<StoredPosition> {
    const { config, observer } = this.#context;
    return withClient(config.source, 'position', (source) =>
      withClient(config.target, 'position', async (target) => {
        this.#sourceClockAheadMs = await clockAheadMs(source, this.#context.clock);
        const { stored, memory, found } = await readStream({ source, target }, config);
        if (stored === null) throw new TandemError('NOT_SET_UP', { stream: config.stream });
        const verdict = judgeSlot(memory, found);
        if (verdict.kind === 'refused') throw new TandemError(verdict.code, verdict.details);
        if (verdict.warning !== null) {
          const { timeline } = found.source;
          observer.event('slot', { warning: verdict.warning, timeline }, 'warn');
          await followTimeline(target, stored, timeline);
        }
        return stored;
      }),
    );
  }

  /** The source's process that reads the slot for somebody; null: nobody does. */
  async readerPid(): Promise<number | null> {
    const { config } = this.#context;
    return withClient(config.source, 'slot', async (source) => {
      const slot = await readSlot(source, config.slot);
      return slot.exists && slot.isActive ? (slot.activePid ?? 0) : null;
    });
  }

  /** What the backfill has still to do. */
  async remaining(): Promise<Remaining> {
    return withClient(this.#context.config.target, 'backfill', (target) =>
      remaining(target, this.#model),
    );
  }

  /**
   * Loads and derives what is missing.
   *
   * @throws TandemError `BACKFILL_RUNNING` while another process does
   */
  async backfill(signal: AbortSignal): Promise<void> {
    const { config, observer, clock } = this.#context;
    const { consistentPoint } = await this.position();
    const work = async (whole: AbortSignal) => {
      // Another process may have done it while this one waited.
      const { tables, entities } = await this.remaining();
      if (tables.length + entities.length === 0) return;
      await backfill({
        source: config.source,
        target: config.target,
        model: this.#model,
        consistentPoint,
        workers: config.backfillWorkers,
        chunkRows: config.chunkRows,
        portionRows: PORTION_ROWS,
        applier: () => this.#applier(),
        observer,
        clock,
        signal: whole,
      });
    };
    const { target, stream } = config;
    await withinMemory(config.memoryLimitBytes, () => alone({ target, stream, signal, work }));
  }

  /**
   * Does open jobs in this process, in their order, until `isOver` says so or a process has begun to
   * stream: that one does them then. For when nobody streams; nothing is taken over.
   */
  async runJobs(isOver: () => Promise<boolean>): Promise<void> {
    const { applier, close } = await this.#applier(readCursor);
    try {
      while (!(await isOver())) {
        if (!(await applier.runJob())) await this.#context.clock.sleep(JOB_TAKEN_MS);
      }
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'POSITION_TAKEN') throw error;
    } finally {
      await close();
    }
  }

  /** Streams until `signal` aborts. */
  async stream(signal: AbortSignal): Promise<void> {
    const { config, observer, clock } = this.#context;
    const over = new AbortController();
    const whole = AbortSignal.any([signal, over.signal]);
    const heartbeat =
      config.heartbeatSeconds > 0
        ? runHeartbeat({
            database: config.source,
            intervalMs: config.heartbeatSeconds * 1000,
            observer,
            clock,
            signal: whole,
          })
        : Promise.resolve();
    try {
      const work = () =>
        stream({
          maxBytes: Math.min(config.batchMaxBytes, config.memoryLimitBytes * BATCH_SHARE),
          maxEvents: config.batchMaxEvents,
          signal,
          open: () => this.#session(),
          pauseMs: (attempt) => backoffMs(attempt, Math.random()),
          clock,
          observer,
        });
      await withinMemory(config.memoryLimitBytes, work);
    } finally {
      over.abort();
      await heartbeat;
    }
  }

  async #session(): Promise<Session> {
    const { config, observer, clock } = this.#context;
    const judged = await this.position();
    // Whoever takes the stream over ends the process that has it: not while that one is at work.
    const reader = await this.readerPid();
    if (reader !== null) throw new TandemError('SLOT_IN_USE', { slot: config.slot, pid: reader });
    const { applier, close } = await this.#applier();
    try {
      // The process before may have moved it since, fed by another server even: judge what counts.
      if (applier.position !== judged.position) await this.position();
    } catch (error) {
      await close();
      throw error;
    }
    const source = new PostgresSource({
      database: config.source,
      slot: config.slot,
      publication: config.publication,
      tables: [...this.#model.mirror.values()],
      observer,
      clock,
      statusIntervalMs: config.statusSeconds * 1000,
    });
    return { source: this.#context.watch?.(source) ?? source, applier, close };
  }

  async #applier(
    cursor: typeof takeOver = takeOver,
  ): Promise<{ applier: Applier; close: () => Promise<void> }> {
    const { config, observer } = this.#context;
    const client = await openClient(config.target, 'apply', { pipeline: true });
    try {
      const options: ApplyOptions = {
        stream: config.stream,
        maxRoots: config.maxRootsPerBatch,
        stopShare: config.stopShare,
        onTruncate: config.onTruncate,
        sourceNow: () => this.#context.clock.now() + this.#sourceClockAheadMs,
      };
      const context = {
        client,
        model: this.#model,
        options,
        reader: this.#reader,
        observer,
        cursor: await cursor(client, config.stream),
      };
      const applier = await Applier.open(context, await readUntil(client));
      return { applier, close: () => client.end() };
    } catch (error) {
      await client.end();
      throw statementError('target', error, 'take over');
    }
  }
}
