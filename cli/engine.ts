import { PostgresSourceReader } from '../connectors/postgres/barrier.ts';
import { openClient, statementError, withClient } from '../connectors/postgres/connection.ts';
import { runHeartbeat } from '../connectors/postgres/heartbeat.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import { alone } from '../backfill/alone.ts';
import { backfill, remaining, type Remaining } from '../backfill/backfill.ts';
import { Applier } from '../consumers/apply.ts';
import type { ApplyOptions } from '../consumers/apply-context.ts';
import { buildModel, type Model } from '../consumers/model.ts';
import {
  joinLog,
  readCursor,
  readPosition,
  readUntil,
  takeOver,
  type StoredPosition,
} from '../consumers/position.ts';
import { portionTime } from '../consumers/portion-time.ts';
import { streamSession } from '../consumers/stream.ts';
import type { TableRecord } from '../consumers/table-state.ts';
import { readTargetTables } from '../consumers/target-tables.ts';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { ChangeSource, Clock, Observer } from '../core/ports.ts';
import type { Lsn } from '../core/version.ts';
import type { Mender } from '../proof/mirror/repair-table.ts';
import { Beside } from './beside.ts';
import type { Config } from './config.ts';
import { beginLog } from './begin-log.ts';
import { finishLogLoad, readToEnd } from './load-from-log.ts';
import type { LogCapture } from './log-capture.ts';
import { withinMemory } from './memory-guard.ts';
import { MappingWatch } from './mapping-watch.ts';
import {
  APPLY,
  applierPid,
  beAlone,
  cameSecond,
  findPosition,
  slotReader,
  type Found,
} from './stream-entry.ts';
import {
  openLogSession,
  openSlotSession,
  type OpenApplier,
  type SessionParts,
} from './open-session.ts';
import { setTableAside } from './set-table-aside.ts';
import { settleTables, type Settled } from './settle.ts';

export type EngineContext = {
  readonly config: Config;
  readonly mapping: Mapping;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Brings the stream through a log. Default: it comes from the slot. */
  readonly log?: LogCapture;
  /** Whether tables are read again whose changes the log has lost, whatever ON_LOG_LOSS says. */
  readonly rereadLog?: boolean;
  /** Put around the source of the stream. */
  readonly watch?: (source: ChangeSource) => ChangeSource;
  /** How often to look whether the mapped tables changed. Default: 30 seconds. */
  readonly catalogueCheckMs?: number;
  /** Whether entities whose mapping changed are derived again as a whole. Default: no. */
  readonly applyMapping?: boolean;
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

/**
 * The parts of the engine put together for one pair of databases, as their catalogues are now: after
 * whatever ends a session, another one is opened.
 */
export class Engine {
  readonly #context: EngineContext;
  readonly #model: Model;
  readonly #settled: Settled;
  readonly #found: Found;
  readonly #reader: PostgresSourceReader;
  readonly #watch: MappingWatch;

  private constructor(context: EngineContext, model: Model, settled: Settled, found: Found) {
    this.#context = context;
    this.#model = model;
    this.#settled = settled;
    this.#found = found;
    const { mapping, observer, applyMapping: applies = false } = context;
    this.#watch = new MappingWatch({ mapping, observer, applies });
    this.#reader = new PostgresSourceReader({
      database: context.config.source,
      clock: context.clock,
    });
  }

  /**
   * Compares what the target remembers with the source and its slot, and reads both catalogues.
   *
   * @param mode `settle`: makes the mirror fit the source, and stops what cannot be made to fit;
   *   nobody else may stream meanwhile. `look`: what does not fit counts as stopped
   * @throws TandemError `NOT_SET_UP`, `WRONG_SERVER`, `SLOT_MISSING`, `SLOT_AHEAD` and the like
   */
  static async open(context: EngineContext, mode: 'settle' | 'look' = 'look'): Promise<Engine> {
    const { config, mapping, observer } = context;
    return await withBoth(config, 'open', async (source, target) => {
      const here = context.log === undefined ? 'slot' : 'log';
      const through = mode === 'settle' ? here : 'look';
      const found = await findPosition(context, { source, target }, through);
      if (mode === 'settle') await beAlone(context, source, target);
      const settled = await settleTables({ source, target, config, mapping, observer, mode });
      const targets = await readTargetTables(target, mapping);
      const blocked = new Set(settled.blocked.keys());
      const model = buildModel(mapping, settled.tables, targets, blocked);
      return new Engine(context, model, settled, found);
    });
  }

  /** The same engine, telling somebody else. */
  telling(observer: Observer): Engine {
    return new Engine({ ...this.#context, observer }, this.#model, this.#settled, this.#found);
  }

  get model(): Model {
    return this.#model;
  }

  /** Tables of the mapping that cannot be worked with now, and why. */
  get absent(): ReadonlyMap<string, string> {
    const { records } = this.#settled;
    const names = [...this.#model.wanted.keys()].filter((name) => !this.#model.mirror.has(name));
    return new Map(
      names.map((name) => [
        name,
        records.get(name)?.reason ?? 'source and mirror do not fit; see: tandem check',
      ]),
    );
  }

  /** By table: changes that were committed before are not taken, because it was read behind them. */
  get joinsAt(): ReadonlyMap<string, Lsn> {
    return joinsAtOf(this.#settled.records);
  }

  /** What the target remembered when this was opened. */
  get position(): StoredPosition {
    return this.#found.stored;
  }

  /**
   * The process of a server that works for whoever streams: the source's that reads the slot, or,
   * through a log, the target's that applies; null: nobody streams.
   */
  async readerPid(): Promise<number | null> {
    const { config } = this.#context;
    if (this.position.mode === 'kafka') return withClient(config.target, 'consumers', applierPid);
    return withClient(config.source, 'slot', (source) => slotReader(source, config.slot));
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
    const { consistentPoint } = this.position;
    const work = async (whole: AbortSignal) => {
      // Another process may have done it while this one waited.
      const { tables, entities } = await this.remaining();
      if (tables.length + entities.length === 0) return;
      // Also where all goes in bulk: whoever derives has noted its mapping before.
      const cursor = this.#context.log === undefined ? takeOver : joinLog;
      await (await this.#applier(cursor)).close();
      if (tables.length > 0 && config.kafka?.backfillFrom === 'log') {
        if (!(await this.#loadFromLog(whole))) return;
      }
      await backfill({
        source: config.source,
        target: config.target,
        model: this.#model,
        consistentPoint,
        workers: config.backfillWorkers,
        chunkRows: config.chunkRows,
        portionRows: PORTION_ROWS,
        stopShare: config.stopShare,
        applier: () => this.#applier(cursor),
        observer,
        clock,
        signal: whole,
      });
    };
    const { target, stream } = config;
    await withinMemory(config.memoryLimitBytes, () => alone({ target, stream, signal, work }));
  }

  /**
   * The first stage of the backfill, where the log is what is loaded from: all that it holds by now,
   * into the mirror alone.
   *
   * @returns false: a table was set aside meanwhile, and the engine is to be opened anew
   */
  async #loadFromLog(signal: AbortSignal): Promise<boolean> {
    const { config, mapping, log } = this.#context;
    const { target, stream } = config;
    if (log === undefined) {
      const problem = 'the tables are loaded from the log by: tandem run --from kafka';
      throw new TandemError('CONFIG_INVALID', { setting: 'BACKFILL_FROM=log', problem });
    }
    const tables = [...this.#model.mirror.values()];
    await beginLog({ config, log, tables });
    const stored = await withClient(target, 'position', (client) => readPosition(client, stream));
    if (stored === null) throw new TandemError('NOT_SET_UP', { stream });
    const everybody = new Set(mapping.entities.map(({ name }) => name));
    const model = buildModel(mapping, this.#settled.tables, this.#model.targets, everybody);
    const found = { ...this.#found, stored };
    const loading = new Engine(this.#context, model, this.#settled, found);
    try {
      await loading.#readLog(log, signal);
    } catch (error) {
      if (signal.aborted || !(await setTableAside(this.#context, this.#settled, error)))
        throw error;
      return false;
    }
    await finishLogLoad(target, stream, tables);
    return true;
  }

  async #readLog(log: LogCapture, signal: AbortSignal): Promise<void> {
    const { config, observer, clock } = this.#context;
    const { target, stream } = config;
    const { session, ends } = await openLogSession(this.#sessionParts, log, true);
    const limits = { ...this.#batchLimits, signal, clock, observer };
    await readToEnd({ target, stream, session, ends, limits });
  }

  get #batchLimits(): { readonly maxBytes: number; readonly maxEvents: number } {
    const { batchMaxBytes, memoryLimitBytes, batchMaxEvents: maxEvents } = this.#context.config;
    return { maxBytes: Math.min(batchMaxBytes, memoryLimitBytes * BATCH_SHARE), maxEvents };
  }

  /**
   * Does open jobs in this process, in their order, until `isOver` says so or a process has begun to
   * stream: that one does them then. For when nobody streams; nothing is taken over.
   */
  async runJobs(isOver: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#context;
    try {
      await this.beside(async (applier) => {
        while (!(await isOver())) {
          if (!(await applier.runJob(portionTime(clock)))) await clock.sleep(JOB_TAKEN_MS);
        }
      });
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'POSITION_TAKEN') throw error;
    }
  }

  /** Works on the target beside the process that streams, or without one: nothing is taken over. */
  async beside<T>(work: (applier: Applier) => Promise<T>): Promise<T> {
    const { applier, close } = await this.#applier(readCursor);
    try {
      return await work(applier);
    } finally {
      await close();
    }
  }

  /** What puts rows of the mirror right, beside the process that streams or without one. */
  get mender(): Mender {
    return {
      isAlone: async () => (await this.readerPid()) === null,
      mend: (mending) => this.beside((applier) => applier.mend(mending)),
    };
  }

  /**
   * Streams until `signal` aborts, or until the tables have changed so that another session has to
   * go on, opened anew.
   *
   * @param progressed told of every batch that is committed
   */
  async stream(signal: AbortSignal, progressed: () => void = () => undefined): Promise<void> {
    const { config, observer, clock, log } = this.#context;
    const over = new AbortController();
    const beside = new Beside(this.#context, this.#settled);
    const whole = AbortSignal.any([signal, over.signal]);
    const heartbeat = this.#beat(whole);
    let work: Promise<unknown> = Promise.resolve();
    let hasCommitted = false;
    const committed = () => {
      hasCommitted = true;
      progressed();
    };
    try {
      const { session, follow } =
        log === undefined
          ? await openSlotSession(this.#sessionParts, () => beside.look())
          : await openLogSession(this.#sessionParts, log);
      work = Promise.all([beside.run(whole), follow(whole)]);
      await withinMemory(config.memoryLimitBytes, () =>
        streamSession(session, {
          ...this.#batchLimits,
          signal: AbortSignal.any([signal, beside.again]),
          progressed: committed,
          clock,
          observer,
        }),
      );
    } catch (failure) {
      const isSecond = log === undefined && !hasCommitted;
      const error = isSecond ? cameSecond(failure, config) : failure;
      if (signal.aborted || !(await setTableAside(this.#context, this.#settled, error)))
        throw error;
    } finally {
      over.abort();
      await Promise.all([heartbeat, work]);
    }
    if (beside.failure !== null && !signal.aborted) throw beside.failure;
  }

  #beat(signal: AbortSignal): Promise<void> {
    const { config, observer, clock } = this.#context;
    if (config.heartbeatSeconds === 0) return Promise.resolve();
    const intervalMs = config.heartbeatSeconds * 1000;
    return runHeartbeat({ database: config.source, intervalMs, observer, clock, signal });
  }

  get #sessionParts(): SessionParts {
    return {
      context: this.#context,
      tables: [...this.#model.mirror.values()],
      joinsAt: this.joinsAt,
      stored: this.position,
      sourceNow: () => this.#sourceNow(),
      openApplier: (cursor) => this.#applier(cursor),
    };
  }

  #sourceNow(): number {
    return this.#context.clock.now() + this.#found.clockAheadMs;
  }

  /** @param cursor how the stream is had: `takeOver`, `joinLog`, or `readCursor` not at all */
  async #applier(cursor: typeof takeOver): Promise<OpenApplier> {
    const { config, observer, log } = this.#context;
    const client = await openClient(config.target, APPLY, { pipeline: true });
    const isShared = log !== undefined || (cursor === readCursor && this.position.mode === 'kafka');
    try {
      const options: ApplyOptions = {
        stream: config.stream,
        through: isShared ? 'log' : 'slot',
        tablesDigest: this.#settled.digest,
        maxRoots: config.maxRootsPerBatch,
        stopShare: config.stopShare,
        onTruncate: config.onTruncate,
        joining: new Set(this.#settled.joining.map((table) => table.name)),
        trustedFrom: this.joinsAt,
        sourceNow: () => this.#sourceNow(),
      };
      const place = { stream: config.stream, cursor: await cursor(client, config.stream) };
      const order = this.#model.entities.map((entity) => entity.name);
      await this.#watch.note(client, place, order);
      const context = {
        client,
        model: this.#model,
        options,
        reader: this.#reader,
        observer,
        cursor: place.cursor,
      };
      const applier = await Applier.open(context, await readUntil(client));
      return { applier, epoch: place.cursor.epoch, close: () => client.end() };
    } catch (error) {
      await client.end();
      throw statementError('target', error, 'take over');
    }
  }
}

const joinsAtOf = (records: ReadonlyMap<string, TableRecord>): ReadonlyMap<string, Lsn> =>
  new Map(
    [...records].flatMap(([name, { joinsAt }]) => (joinsAt === null ? [] : [[name, joinsAt]])),
  );
