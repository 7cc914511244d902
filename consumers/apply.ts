import { execute, statementError, preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError, type ErrorCode } from '../core/errors.ts';
import type { Batch, Position } from '../core/ports.ts';
import { parseLsn, type Lsn } from '../core/version.ts';
import type { ApplyContext } from './apply-context.ts';
import { Derivation } from './derivation.ts';
import { recordDeadLetters } from './dead-letters.ts';
import type { Fence } from './fence.ts';
import { InactiveEntities } from './inactive-entities.ts';
import { JobRunner } from './job-runner.ts';
import { Journals } from './journal.ts';
import { overNewer, type LateChanges } from './late-changes.ts';
import { keepOut } from './keep-out.ts';
import { lockTables } from './locks.ts';
import { LogFence } from './log-fence.ts';
import { setBack, type Mending } from './mend.ts';
import { Merging } from './merging.ts';
import { aheadUntil } from './position.ts';
import { SlotFence } from './slot-fence.ts';
import { TargetTransaction } from './target-transaction.ts';

/** Failures behind which one row may stand: then the batch goes again, narrowing down. */
const MAY_BE_ONE_ROW: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TARGET_FAILED',
  'MAPPING_INVALID',
  'TABLE_MISSING',
]);

type Parts = {
  readonly fence: Fence;
  readonly inactive: InactiveEntities;
  readonly journals: Journals;
  readonly derivation: Derivation;
  readonly merging: Merging;
  readonly jobs: JobRunner;
};

/**
 * Applies batches to the target: position, mirror and derived rows in one transaction. One instance
 * per target session; after any error the session is to be given up and opened anew.
 */
export class Applier {
  readonly #context: ApplyContext;
  readonly #parts: Parts;
  /** A transaction that goes on in the next batch. */
  #open: TargetTransaction | null = null;

  private constructor(context: ApplyContext, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** @param consistentAfter by table: up to where its copy may be newer than the stream */
  static async open(
    context: ApplyContext,
    consistentAfter: ReadonlyMap<string, Lsn>,
  ): Promise<Applier> {
    const { client, model, observer } = context;
    const [version] = await preparedRows(client, `select current_setting('server_version_num')`);
    const inactive = new InactiveEntities(client, observer);
    const journals = new Journals(model, consistentAfter);
    const derivation = new Derivation(context, inactive, journals);
    const merging = new Merging(
      context,
      { derivation, inactive, journals },
      Number(version?.[0]),
      await aheadUntil(client),
    );
    const { affected } = merging;
    const fence =
      context.options.through === 'log'
        ? new LogFence(context, inactive)
        : new SlotFence(context, inactive);
    const jobs = new JobRunner(context, { fence, derivation, inactive, affected });
    return new Applier(context, { fence, inactive, journals, derivation, merging, jobs });
  }

  get position(): Position {
    return this.#context.cursor.position;
  }

  /** No transaction is in hand. */
  get isIdle(): boolean {
    return this.#open === null;
  }

  /**
   * Applies a batch, or adds a piece to the transaction in hand. True: it is committed.
   *
   * @throws TandemError `POSITION_TAKEN` when another process has moved the position; errors of
   *   the target, after which nothing of the batch is in the target
   */
  async apply(batch: Batch): Promise<boolean> {
    const isAlone = this.#open === null && batch.complete;
    // What came before in the transaction in hand is not there any more to be done again.
    return isAlone
      ? await this.#narrowing((carefully) => this.#attempt(batch, carefully))
      : await this.#orNothing(() => this.#attempt(batch, true));
  }

  /**
   * Does one portion of the oldest job. False: there is none that this process could take.
   *
   * @param isOver asked between slices of it. Default: after the first one
   */
  async runJob(isOver: () => boolean = () => true): Promise<boolean> {
    return await this.#narrowing((carefully) => this.#portion(carefully, isOver));
  }

  /**
   * A transaction, tried without savepoints first. Behind its failure a refused row may stand, or a
   * parent that somebody removed: then the same again, row by row where needed.
   */
  async #narrowing(attempt: (carefully: boolean) => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#orNothing(() => attempt(false));
    } catch (error) {
      if (!(error instanceof TandemError) || !MAY_BE_ONE_ROW.has(error.code)) throw error;
      this.#parts.derivation.forget();
      const facts = { error: error.message };
      this.#context.observer.event('batch refused, narrowing down', facts, 'warn');
    }
    return await this.#orNothing(() => attempt(true));
  }

  /** Nothing of `work` stays where it fails, and its failure has a name. */
  async #orNothing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await this.#rollBack(error);
    }
  }

  async #portion(carefully: boolean, isOver: () => boolean): Promise<boolean> {
    const { client } = this.#context;
    await execute(client, 'begin');
    const done = await this.#parts.jobs.runPortion(carefully, isOver);
    await execute(client, 'commit');
    if (done === null) return false;
    this.#committed(done.tx);
    done.report();
    return true;
  }

  /**
   * Puts rows that were read from the source at a barrier over what the mirror holds, and derives
   * what depends on them, in a transaction like a batch's. It does not take the stream over: the
   * version says that a row is no older than the barrier, so neither an earlier nor a later change
   * can be lost by it, whoever brings that.
   *
   * @returns why nothing was done; null: it was
   */
  async mend(mending: Mending): Promise<string | null> {
    const { client, options } = this.#context;
    const { inactive, merging, derivation } = this.#parts;
    const { table, events, ahead } = mending;
    return await this.#orNothing(async () => {
      await execute(client, 'begin');
      // First, as in every transaction that writes: batches and jobs wait for it.
      const position = parseLsn(await keepOut(this.#context, inactive));
      const reason = await this.#whyNotMend(mending, position);
      if (reason !== null) {
        await execute(client, 'rollback');
        return reason;
      }
      await lockTables(client, [table.name]);
      if (ahead.length > 0) await setBack(client, table, ahead, await mending.sourceEnd());
      const tx = new TargetTransaction(options.maxRoots, true);
      await merging.merge(tx, events);
      await derivation.finish(tx);
      await execute(client, 'commit');
      this.#committed(tx);
      this.#context.observer.event('mended', { table: table.name, rows: events.length });
      return null;
    });
  }

  async #whyNotMend({ table, barrier, sourceEnd }: Mending, position: Lsn): Promise<string | null> {
    if (position > (await sourceEnd())) {
      return 'the stream stands in the future of the source: this is another history, see setup --new-slot';
    }
    const isJournaled = this.#context.model.journalsOf.has(table.name);
    // Once the row is as new as the barrier, older changes of it are late, and no journal sees them.
    if (isJournaled && position < barrier) {
      return 'a journal has to see the changes that are on their way first: start tandem run';
    }
    return null;
  }

  /**
   * Applies changes that come late, out of a log that is read again, in a transaction like a
   * batch's and beside whoever streams. The version decides, so nothing newer is undone.
   */
  async applyLate(late: LateChanges): Promise<void> {
    const { client } = this.#context;
    const { inactive, merging, derivation } = this.#parts;
    await this.#narrowing(async (carefully) => {
      await execute(client, 'begin');
      await keepOut(this.#context, inactive);
      await lockTables(client, new Set(late.events.map(({ table }) => table.name)));
      const tx = new TargetTransaction(this.#context.options.maxRoots, carefully);
      await merging.merge(tx, await overNewer(client, late));
      await late.beside(client);
      await derivation.finish(tx);
      await execute(client, 'commit');
      this.#committed(tx);
      return true;
    });
  }

  /** Wakes what waits for rows that are there: they came by another way than a batch or a job. */
  async wakeWaiting(): Promise<void> {
    const { client } = this.#context;
    await this.#orNothing(async () => {
      await execute(client, 'begin');
      await this.#parts.jobs.wakeWaiting();
      await execute(client, 'commit');
    });
  }

  async #attempt(batch: Batch, carefully: boolean): Promise<boolean> {
    const { client, cursor, observer, options } = this.#context;
    const { fence, merging, derivation, journals } = this.#parts;
    const tx = this.#open ?? (await this.#begin(batch, carefully));
    await merging.merge(tx, batch.events);
    if (!batch.complete) {
      // What a transaction keeps here is bounded; a journal's entries want their parents derived.
      if (journals.size > options.maxRoots) await derivation.finishSoFar(tx);
      this.#open = tx;
      return false;
    }
    this.#open = null;
    if (!tx.isFenced) await fence.advance(batch);
    if (batch.unreadable !== undefined) await recordDeadLetters(client, batch.unreadable);
    await derivation.finish(tx);
    await tx.phase('commit', () => execute(client, 'commit'));
    this.#committed(tx);
    cursor.position = batch.position;
    observer.batch({
      events: tx.events,
      changesByTable: tx.changes,
      transactionsBytes: batch.bytes,
      rowsByEntity: tx.outcomes,
      phaseMs: tx.phaseMs,
      position: batch.position,
      heartbeatLagMs: fence.heartbeatLagMs(batch),
    });
    return true;
  }

  async #begin(batch: Batch, carefully: boolean): Promise<TargetTransaction> {
    const tx = new TargetTransaction(this.#context.options.maxRoots, carefully);
    await tx.phase('fence', async () => {
      await execute(this.#context.client, 'begin');
      if (batch.complete) await this.#parts.fence.advance(batch);
      else await this.#parts.fence.hold();
      tx.isFenced = batch.complete;
    });
    return tx;
  }

  #committed(tx: TargetTransaction): void {
    this.#parts.derivation.committed(tx);
  }

  async #rollBack(error: unknown): Promise<TandemError> {
    this.#open = null;
    this.#parts.journals.forget();
    await execute(this.#context.client, 'rollback').catch(() => undefined);
    return statementError('target', error, 'apply');
  }
}
