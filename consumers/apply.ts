import type pg from 'pg';
import { execute, statementError, preparedRows } from '../connectors/postgres/connection.ts';
import type { ChangeEvent, TableTruncated } from '../core/change-event.ts';
import { TandemError, type ErrorCode } from '../core/errors.ts';
import type { Batch, Observer, Position, SourceReader } from '../core/ports.ts';
import { formatLsn, type Lsn, type Version } from '../core/version.ts';
import { Affected, rootsOf, type FanOut, type Roots } from './affected.ts';
import { AffectedRoots } from './affected-store.ts';
import { collapse, type TableChanges } from './collapse.ts';
import { Deriver, type Refused } from './derive.ts';
import { inactiveEntities, setEntityState } from './entity-state.ts';
import { Journals } from './journal.ts';
import { addJob, moveJob, takeJob, usageName, type Job } from './jobs.ts';
import { lockEntities, lockTables } from './locks.ts';
import type { Stamp } from './marks.ts';
import { TableMerge } from './merge.ts';
import { mirrorName } from './mirror-schema.ts';
import type { Model } from './model.ts';
import { waitingFor } from './wake.ts';

export type ApplyOptions = {
  readonly stream: string;
  /** Roots that one batch may derive; what concerns more becomes a job. */
  readonly maxRoots: number;
  /** Share of an entity's roots in quarantine above which it stops. */
  readonly stopShare: number;
  readonly onTruncate: 'stop' | 'apply' | 'ignore';
  /** What the source's clock is ahead of ours: heartbeats are stamped there. Default 0. */
  readonly sourceClockAheadMs?: number;
};

/** Where the stream stands, as this process last saw or wrote it. */
export type Cursor = { position: Position; readonly epoch: bigint };

/** Events of a slice: enough for one statement to be worth its round trip. */
const SLICE = 1_000;

/** So many slices are derived side by side: one waits for the server while another is mapped. */
const AT_ONCE = 3;

/** Takes out the roots that are rows of the merged table itself. */
function ownRoots(roots: Map<string, Roots>): Map<string, Roots> {
  const own = new Map<string, Roots>();
  for (const [entity, all] of roots) {
    const mine: Roots = new Map();
    for (const [key, image] of all) {
      if (image === undefined) continue;
      mine.set(key, image);
      all.delete(key);
    }
    if (all.changed !== undefined) mine.changed = all.changed;
    if (mine.size > 0) own.set(entity, mine);
  }
  return own;
}

function addRoots(to: Map<string, Roots>, roots: ReadonlyMap<string, Roots>): void {
  for (const [entity, all] of roots) {
    const known = rootsOf(to, entity);
    for (const [key, image] of all) known.set(key, image);
  }
}

type BigTable = { readonly tables: ReadonlyMap<string, TableChanges>; readonly big: TableChanges };

/** Neighbouring keys together: they are on the same pages of heap and indexes. */
function* slicesOf(changes: TableChanges): Generator<TableChanges> {
  const sorted = [...changes.finals].sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  for (let i = 0; i < sorted.length; i += SLICE) {
    yield { ...changes, finals: new Map(sorted.slice(i, i + SLICE)) };
  }
}

/** Failures behind which one row may stand: then the batch goes again, narrowing down. */
const MAY_BE_ONE_ROW: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TARGET_FAILED',
  'MAPPING_INVALID',
  'TABLE_MISSING',
]);

/** Refused because of another row: a unique value, an exclusion, a parent. */
const mayPass = ({ details }: TandemError) =>
  ['23505', '23P01', '23503'].includes(String(details['sqlstate']));

/** So many refused rows are never too many. */
const TOLERATED = 50;

/**
 * Applies batches to the target: position, mirror and derived rows in one transaction. One instance
 * per target session; after any error the session is to be given up and opened anew.
 */
export class Applier {
  readonly #client: pg.Client;
  readonly #model: Model;
  readonly #options: ApplyOptions;
  readonly #reader: SourceReader;
  readonly #observer: Observer;
  readonly #cursor: Cursor;
  readonly #merges: ReadonlyMap<string, TableMerge>;
  readonly #affected: Affected;
  readonly #deriver: Deriver;
  readonly #journals: Journals;
  readonly #inactive: Set<string>;
  /** Stopped by the transaction in hand: not yet a fact. */
  readonly #stoppedNow = new Set<string>();
  #open: OpenTransaction | null = null;

  private constructor(context: {
    client: pg.Client;
    model: Model;
    options: ApplyOptions;
    reader: SourceReader;
    observer: Observer;
    cursor: Cursor;
    inactive: Set<string>;
    serverVersion: number;
    consistentAfter: ReadonlyMap<string, Lsn>;
  }) {
    const { model, options } = context;
    this.#client = context.client;
    this.#model = model;
    this.#options = options;
    this.#reader = context.reader;
    this.#observer = context.observer;
    this.#cursor = context.cursor;
    this.#inactive = context.inactive;
    this.#merges = new Map(
      [...model.mirror.values()].map((table) => [
        table.name,
        new TableMerge(table, model.usagesOf.get(table.name) ?? [], context.serverVersion),
      ]),
    );
    this.#affected = new Affected(model, options.maxRoots);
    this.#deriver = new Deriver(model, Math.max(TOLERATED, options.maxRoots * options.stopShare));
    this.#journals = new Journals(model, context.consistentAfter);
  }

  static async open(context: {
    client: pg.Client;
    model: Model;
    options: ApplyOptions;
    reader: SourceReader;
    observer: Observer;
    cursor: Cursor;
    consistentAfter: ReadonlyMap<string, Lsn>;
  }): Promise<Applier> {
    const { client } = context;
    const inactive = new Set((await inactiveEntities(client)).keys());
    const [version] = await preparedRows(client, `select current_setting('server_version_num')`);
    return new Applier({ ...context, inactive, serverVersion: Number(version?.[0]) });
  }

  get position(): Position {
    return this.#cursor.position;
  }

  /**
   * Applies a batch, or adds a piece to the transaction in hand. True: it is committed.
   *
   * @throws TandemError `POSITION_TAKEN` when another process has moved the position; errors of
   *   the target, after which nothing of the batch is in the target
   */
  async apply(batch: Batch): Promise<boolean> {
    const isAlone = this.#open === null && batch.complete;
    try {
      return await this.#attempt(batch, !isAlone);
    } catch (error) {
      const named = await this.#rollBack(error);
      // A refused row, or a parent that somebody removed: the same again, row by row where needed.
      if (!isAlone || !MAY_BE_ONE_ROW.has(named.code)) throw named;
      this.#deriver.forget();
      this.#observer.event('batch refused, narrowing down', { error: named.message }, 'warn');
    }
    try {
      return await this.#attempt(batch, true);
    } catch (error) {
      throw await this.#rollBack(error);
    }
  }

  async #rollBack(error: unknown): Promise<TandemError> {
    this.#open = null;
    for (const entity of this.#stoppedNow) this.#inactive.delete(entity);
    this.#stoppedNow.clear();
    this.#journals.forget();
    await execute(this.#client, 'rollback').catch(() => undefined);
    return statementError('target', error, 'apply');
  }

  async #attempt(batch: Batch, carefully: boolean): Promise<boolean> {
    const tx = this.#open ?? (await this.#begin(batch, carefully));
    const big = carefully ? null : this.#bigTable(batch.events);
    if (big === null) await this.#merge(tx, batch.events);
    else await this.#mergeAndDerive(tx, batch.events, big);
    if (!batch.complete) {
      this.#open = tx;
      return false;
    }
    this.#open = null;
    if (!tx.isFenced) await this.#advance(batch);
    await this.#finish(tx);
    await tx.phase('commit', () => execute(this.#client, 'commit'));
    this.#committed(tx);
    this.#cursor.position = batch.position;
    this.#observer.batch({
      events: tx.events,
      transactionsBytes: batch.bytes,
      rowsByEntity: tx.roots,
      phaseMs: tx.phaseMs,
      position: batch.position,
      heartbeatLagMs: this.#heartbeatLagMs(batch),
    });
    return true;
  }

  #committed(tx: OpenTransaction): void {
    for (const learn of tx.committed) learn();
    this.#stoppedNow.clear();
  }

  /** Fence: whoever finds the position elsewhere, or a younger epoch, writes nothing. */
  async #begin(batch: Batch, carefully: boolean): Promise<OpenTransaction> {
    const tx = new OpenTransaction(this.#options.maxRoots, carefully);
    await tx.phase('fence', async () => {
      await execute(this.#client, 'begin');
      if (batch.complete) {
        await this.#advance(batch);
        tx.isFenced = true;
        return;
      }
      const [row] = await preparedRows(
        this.#client,
        `select position from tandem.position where stream = $1 and epoch = $2 for update`,
        [this.#options.stream, this.#cursor.epoch],
      );
      if (row?.[0] !== this.#cursor.position) throw this.#taken();
    });
    return tx;
  }

  async #advance(batch: Batch): Promise<void> {
    const { stream } = this.#options;
    const at = batch.heartbeat === null ? null : new Date(batch.heartbeat.sentAtMs).toISOString();
    const lag = this.#heartbeatLagMs(batch);
    const [row] = await preparedRows(
      this.#client,
      'select tandem.advance($1, $2, $3, $4, $5, $6, $7)',
      [
        stream,
        this.#cursor.epoch,
        this.#cursor.position,
        batch.position,
        at,
        lag === null ? null : `${lag} ms`,
        batch.committedAtMs === null ? null : new Date(batch.committedAtMs).toISOString(),
      ],
    );
    if (row?.[0] !== 't') throw this.#taken();
  }

  /** From the source's clock to now by the same clock. */
  #heartbeatLagMs({ heartbeat }: Batch): number | null {
    if (heartbeat === null) return null;
    const now = Date.now() + (this.#options.sourceClockAheadMs ?? 0);
    return Math.max(0, now - heartbeat.sentAtMs);
  }

  #taken(): TandemError {
    const { stream } = this.#options;
    return new TandemError('POSITION_TAKEN', { stream, expected: this.#cursor.position });
  }

  /** Merges events into the mirror, table by table, and notes which roots they concern. */
  async #merge(tx: OpenTransaction, events: readonly ChangeEvent[]): Promise<void> {
    let start = 0;
    for (let i = 0; i <= events.length; i++) {
      const event = events[i];
      if (event !== undefined && event.kind !== 'truncate') continue;
      if (i > start) {
        await this.#mergeRows(tx, events.slice(start, i), tx.affected.memory);
        await tx.affected.settle(this.#client);
      }
      if (event !== undefined) await this.#truncate(tx, event);
      start = i + 1;
    }
  }

  /**
   * A batch with very many changes of one table: it goes in slices of neighbouring keys, and while
   * one is mapped here, the server works on another. The other tables go first. What a slice
   * derives at once are the roots that are its own rows, so no two slices derive the same root; the
   * roots that its rows lead to wait for the end. All locks are taken first, so that their order
   * stays the same for everybody.
   */
  async #mergeAndDerive(
    tx: OpenTransaction,
    events: readonly ChangeEvent[],
    { tables, big }: BigTable,
  ): Promise<void> {
    const usages = [...tables.keys()].flatMap((table) => this.#model.usagesOf.get(table) ?? []);
    const entities = new Set(usages.map((usage) => usage.entity));
    for (const entity of this.#inactive) entities.delete(entity);
    await tx.phase('lock', async () => {
      await lockTables(this.#client, tables.keys());
      await this.#lock(tx, entities);
    });
    tx.note(events);
    const rest = new Map([...tables].filter(([, changes]) => changes !== big));
    if (rest.size > 0) {
      await this.#mergeTables(tx, rest, tx.affected.memory);
      const roots = await tx.affected.take(this.#client, []);
      if (roots.size > 0) await tx.phase('derive', () => this.#derive(tx, roots));
    }
    await this.#merges.get(big.table.name)?.carry(this.#client, big.finals.values());
    const atOnce = this.#meetThemselves(big.table.name) ? 0 : AT_ONCE;
    const deriving = new Set<Promise<void>>();
    try {
      for (const slice of slicesOf(big)) {
        const roots = new Map<string, Roots>();
        await this.#mergeTables(tx, new Map([[big.table.name, slice]]), roots);
        const own = ownRoots(roots);
        addRoots(tx.affected.memory, roots);
        await tx.affected.settle(this.#client);
        const work = tx.phase('derive', () => this.#derive(tx, own));
        deriving.add(work);
        // Its failure is thrown by an `await` below; until then it is nobody's.
        work.then(() => deriving.delete(work)).catch(() => undefined);
        if (deriving.size > atOnce) await Promise.race(deriving);
      }
      await Promise.all(deriving);
    } finally {
      // Nothing may be sent behind a rollback.
      await Promise.allSettled(deriving);
    }
  }

  /**
   * Whether roots of this table may have to do with each other's rows: then side by side the one
   * could note that its parent is missing just after the other has brought it and asked who waits.
   */
  #meetThemselves(table: string): boolean {
    const rooted = this.#model.entities.filter((entity) => entity.shape.table.name === table);
    const tables = new Set(rooted.flatMap((entity) => entity.targets));
    return rooted.some(
      (entity) =>
        entity.fanOut ||
        entity.targets.some((name) =>
          [...(this.#model.targets.get(name)?.columns.values() ?? [])].some(
            ({ name, references }) =>
              name !== 'id' && references !== null && tables.has(references),
          ),
        ),
    );
  }

  /** The table that is worth slicing; null where the batch is small, or mixed. */
  #bigTable(events: readonly ChangeEvent[]): BigTable | null {
    if (events.length < 2 * SLICE || events.some((event) => event.kind === 'truncate')) return null;
    const tables = this.#collapse(events);
    const [big] = [...tables.values()].sort((a, b) => b.finals.size - a.finals.size);
    if (big === undefined || big.finals.size < 2 * SLICE || big.steps.length > 0) return null;
    return { tables, big };
  }

  #collapse(events: readonly ChangeEvent[]): Map<string, TableChanges> {
    return collapse(events, (table) => this.#model.journalsOf.has(table));
  }

  async #mergeRows(
    tx: OpenTransaction,
    events: readonly ChangeEvent[],
    into: Map<string, Roots>,
  ): Promise<void> {
    const tables = this.#collapse(events);
    tx.note(events);
    await tx.phase('lock', () => lockTables(this.#client, tables.keys()));
    await this.#mergeTables(tx, tables, into);
  }

  async #mergeTables(
    tx: OpenTransaction,
    tables: ReadonlyMap<string, TableChanges>,
    into: Map<string, Roots>,
  ): Promise<void> {
    const client = this.#client;
    const results = await tx.phase('merge', async () => {
      const merged = [];
      for (const name of [...tables.keys()].sort()) {
        const changes = tables.get(name);
        const merge = this.#merges.get(name);
        if (changes === undefined || merge === undefined) continue;
        if (changes.steps.length > 0) await this.#journals.collect(client, changes, merge);
        merged.push({
          table: changes.table,
          changed: await merge.run(client, changes, this.#reader),
        });
      }
      return merged;
    });
    const concerned = new Set<string>();
    for (const { changed } of results) {
      for (const row of changed) for (const usage of row.concerned) concerned.add(usage.entity);
    }
    for (const entity of this.#inactive) concerned.delete(entity);
    await tx.phase('lock', () => this.#lock(tx, concerned));
    await tx.phase('affected', async () => {
      for (const { table, changed } of results) {
        const tooMany = await this.#affected.collect(
          client,
          table,
          changed,
          into,
          (entity) => !this.#inactive.has(entity),
        );
        for (const fanOut of tooMany) await this.#defer(fanOut);
      }
    });
  }

  async #lock(tx: OpenTransaction, entities: Iterable<string>): Promise<void> {
    const wanted = [...entities].filter((entity) => !tx.locked.has(entity));
    if (wanted.length === 0) return;
    await lockEntities(this.#client, this.#model, wanted);
    for (const entity of wanted) tx.locked.add(entity);
  }

  async #defer({ usage, values }: FanOut): Promise<void> {
    const reason = `${usage.table} changed`;
    await addJob(this.#client, { entity: usage.entity, usage: usageName(usage), values, reason });
    this.#observer.event('job added', { entity: usage.entity, reason, values: values.length });
  }

  async #truncate(tx: OpenTransaction, event: TableTruncated): Promise<void> {
    const { onTruncate } = this.#options;
    const table = event.table.name;
    if (onTruncate === 'stop') throw new TandemError('TRUNCATE_REFUSED', { table });
    this.#observer.event('truncate', { table, action: onTruncate }, 'warn');
    if (onTruncate === 'ignore') return;
    await lockTables(this.#client, [table]);
    const { commitLsn, changeLsn } = event.version;
    const rest = event.table.columns
      .slice(event.table.keyLength)
      .map((column) => `"${column.name.replaceAll('"', '""')}" = null, `);
    await execute(
      this.#client,
      `update ${mirrorName(event.table)} set ${rest.join('')}_deleted = true,
         _commit_lsn = $1, _change_lsn = $2
       where not _deleted and (_commit_lsn, _change_lsn) < ($1::pg_lsn, $2::pg_lsn)`,
      [formatLsn(commitLsn), formatLsn(changeLsn)],
    );
    const entities = new Set((this.#model.usagesOf.get(table) ?? []).map((usage) => usage.entity));
    await this.#lock(tx, entities);
    for (const entity of entities) {
      await addJob(this.#client, {
        entity,
        usage: null,
        values: null,
        reason: `${table} truncated`,
      });
    }
  }

  /** Derives what is affected, then what that wakes, until nothing new arrives. */
  async #finish(tx: OpenTransaction): Promise<void> {
    const order = this.#model.entities.map((entity) => entity.name);
    for (let refusedBefore = Infinity; ;) {
      let roots = await tx.affected.take(this.#client, order);
      if (roots.size === 0) {
        // What stood in a refused row's way (a unique value, a parent) may be settled by now.
        const { count, again } = tx.takeRefused();
        if (count === 0 || count >= refusedBefore) break;
        refusedBefore = count;
        roots = again;
      }
      await tx.phase('derive', () => this.#derive(tx, roots));
    }
    await this.#lock(tx, this.#journals.waiting());
    await tx.phase('journal', () => this.#journals.append(this.#client, tx.carefully));
  }

  async #derive(tx: OpenTransaction, roots: Map<string, Roots>): Promise<void> {
    for (const entity of this.#inactive) roots.delete(entity);
    const result = tx.carefully
      ? await this.#deriveCarefully(tx, roots)
      : await this.#deriver.derive(this.#client, roots, tx.stamp, new Map(), false);
    tx.committed.push(result.committed);
    for (const [entity, count] of result.roots) {
      tx.roots.set(entity, (tx.roots.get(entity) ?? 0) + count);
    }
    if (result.arrivals.size > 0) await this.#wake(tx, result.arrivals);
    for (const entity of result.quarantined) await this.#stopIfTooMany(entity);
  }

  /** With savepoints: rows that the database refuses are found, set aside, and the rest is derived. */
  async #deriveCarefully(tx: OpenTransaction, roots: Map<string, Roots>) {
    const refused: Refused = new Map();
    await execute(this.#client, 'savepoint deriving');
    for (;;) {
      try {
        const result = await this.#deriver.derive(this.#client, roots, tx.stamp, refused, true);
        if (result.refused.size === 0) {
          await execute(this.#client, 'release savepoint deriving');
          for (const [entity, errors] of refused) {
            const known = rootsOf(tx.refused, entity);
            for (const [key, error] of errors) {
              if (mayPass(error)) known.set(key, undefined);
            }
          }
          return result;
        }
        for (const [entity, errors] of result.refused) {
          const known = refused.get(entity) ?? new Map<string, TandemError>();
          for (const [key, error] of errors) known.set(key, error);
          refused.set(entity, known);
        }
      } catch (error) {
        if (!(error instanceof TandemError) || error.code !== 'ENTITY_STOPPED') throw error;
        await execute(this.#client, 'rollback to savepoint deriving');
        const entity = String(error.details['entity']);
        await this.#stop(entity, error.message);
        roots.delete(entity);
        refused.delete(entity);
        await execute(this.#client, 'release savepoint deriving');
        await execute(this.#client, 'savepoint deriving');
        continue;
      }
      await execute(this.#client, 'rollback to savepoint deriving');
    }
  }

  async #stopIfTooMany(entity: string): Promise<void> {
    const root = this.#model.entity.get(entity)?.shape.table.name ?? '';
    const table = this.#model.mirror.get(root);
    if (table === undefined || this.#inactive.has(entity)) return;
    const [row] = await preparedRows(
      this.#client,
      `select (select count(*) from tandem.quarantine where entity = $1),
         greatest((select reltuples from pg_class where oid = $2::regclass), 0)`,
      [entity, mirrorName(table)],
    );
    const quarantined = Number(row?.[0] ?? 0);
    const limit = Math.max(TOLERATED, Number(row?.[1] ?? 0) * this.#options.stopShare);
    if (quarantined > limit) await this.#stop(entity, `${quarantined} roots in quarantine`);
  }

  async #stop(entity: string, reason: string): Promise<void> {
    await setEntityState(this.#client, entity, 'stopped', reason);
    this.#inactive.add(entity);
    this.#stoppedNow.add(entity);
    const { hint } = new TandemError('ENTITY_STOPPED');
    this.#observer.event('entity stopped', { entity, reason, hint }, 'error');
  }

  /** What waits for new rows is derived here where its entity is locked anyway, else as a job. */
  async #wake(
    tx: OpenTransaction,
    arrivals: ReadonlyMap<string, readonly string[]>,
  ): Promise<void> {
    for (const [name, keys] of await waitingFor(this.#client, arrivals)) {
      const journal = this.#model.journals.find((entity) => entity.name === name);
      if (journal !== undefined) {
        await this.#journals.wake(this.#client, journal, [...keys], tx.carefully);
      } else if (this.#inactive.has(name) || !this.#model.entity.has(name)) {
        continue;
      } else if (tx.locked.has(name)) {
        const roots = rootsOf(tx.affected.memory, name);
        for (const key of keys) roots.set(key, undefined);
      } else {
        await addJob(this.#client, {
          entity: name,
          usage: null,
          values: [...keys],
          reason: 'a parent arrived',
        });
      }
    }
  }

  /** Wakes what waits for rows that are there: they came by another way than a batch or a job. */
  async wakeWaiting(): Promise<void> {
    try {
      await execute(this.#client, 'begin');
      const rows = await preparedRows(
        this.#client,
        `select parent_table, parent_id from (
           select parent_table, parent_id from tandem.unresolved
           union select parent_table, parent_id from tandem.held) as missing
         where tandem.row_exists(parent_table, parent_id)`,
      );
      const arrivals = new Map<string, string[]>();
      for (const [table, id] of rows) {
        const ids = arrivals.get(table ?? '');
        if (ids === undefined) arrivals.set(table ?? '', [id ?? '']);
        else ids.push(id ?? '');
      }
      await this.#wake(new OpenTransaction(this.#options.maxRoots, true), arrivals);
      await execute(this.#client, 'commit');
    } catch (error) {
      throw await this.#rollBack(error);
    }
  }

  /** Does one portion of the oldest job. False: there is none that this process could take. */
  async runJob(): Promise<boolean> {
    await this.#readInactive();
    const active = this.#model.entities
      .map((entity) => entity.name)
      .filter((entity) => !this.#inactive.has(entity));
    try {
      await execute(this.#client, 'begin');
      const job = await takeJob(this.#client, active);
      if (job === null) {
        await execute(this.#client, 'rollback');
        return false;
      }
      const tx = new OpenTransaction(this.#options.maxRoots, true);
      await this.#lock(tx, [job.entity]);
      const keys = await this.#jobRoots(job);
      const roots = rootsOf(tx.affected.memory, job.entity);
      for (const key of keys) roots.set(key, undefined);
      await this.#finish(tx);
      const last = keys.length < this.#options.maxRoots ? null : (keys.at(-1) ?? null);
      await moveJob(this.#client, job.id, last);
      await execute(this.#client, 'commit');
      this.#committed(tx);
      const { entity } = job;
      this.#observer.event('job portion done', {
        entity,
        roots: keys.length,
        finished: last === null,
      });
      return true;
    } catch (error) {
      throw await this.#rollBack(error);
    }
  }

  /** An entity may have been paused, or set going again, by another process. */
  async #readInactive(): Promise<void> {
    try {
      const inactive = await inactiveEntities(this.#client);
      this.#inactive.clear();
      for (const entity of inactive.keys()) this.#inactive.add(entity);
    } catch (error) {
      throw await this.#rollBack(error);
    }
  }

  async #jobRoots(job: Job): Promise<readonly string[]> {
    const limit = this.#options.maxRoots;
    const usage = this.#model.usages.find(
      (candidate) => candidate.entity === job.entity && usageName(candidate) === job.usage,
    );
    if (usage !== undefined && job.values !== null) {
      return this.#affected.climb(this.#client, usage, job.values, job.after, limit);
    }
    if (job.values !== null && job.usage === null) {
      const start = job.after === null ? 0 : job.values.indexOf(job.after) + 1;
      return job.values.slice(start, start + limit);
    }
    return this.#affected.allRoots(this.#client, job.entity, job.after, limit);
  }

  get isIdle(): boolean {
    return this.#open === null;
  }
}

/** What one target transaction gathers until it commits. */
class OpenTransaction {
  readonly affected: AffectedRoots;
  readonly carefully: boolean;
  readonly locked = new Set<string>();
  readonly committed: (() => void)[] = [];
  /** Roots that the database refused because of another row, by entity. */
  refused = new Map<string, Roots>();
  readonly roots = new Map<string, number>();
  readonly phaseMs: Record<string, number> = {};
  stamp: Stamp | Version = { commitLsn: 0n as Lsn, changeLsn: 0n as Lsn };
  events = 0;
  isFenced = false;

  constructor(maxRoots: number, carefully: boolean) {
    this.affected = new AffectedRoots(maxRoots);
    this.carefully = carefully;
  }

  /** Counts events that are about to be merged. */
  note(events: readonly ChangeEvent[]): void {
    this.events += events.length;
    const last = events.at(-1);
    if (last !== undefined) this.stamp = last.version;
  }

  /** The refused roots, to be tried again. */
  takeRefused(): { count: number; again: Map<string, Roots> } {
    const again = this.refused;
    this.refused = new Map();
    let count = 0;
    for (const roots of again.values()) count += roots.size;
    return { count, again };
  }

  async phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.phaseMs[name] = (this.phaseMs[name] ?? 0) + performance.now() - start;
    }
  }
}
