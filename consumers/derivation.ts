import { execute, statementError } from '../connectors/postgres/connection.ts';
import type { JournalEntity } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import { rootsOf, type Roots } from './affected.ts';
import type { ApplyContext } from './apply-context.ts';
import { checkNow } from './check-now.ts';
import { findCulprit } from './find-culprit.ts';
import { Deriver, isAboutTheTable, type DeriveResult, type Refused } from './derive.ts';
import type { InactiveEntities } from './inactive-entities.ts';
import { addJob } from './jobs.ts';
import type { Journals } from './journal.ts';
import { lockEntities } from './locks.ts';
import { reasonToStop, TOLERATED } from './stop-share.ts';
import type { TargetTransaction } from './target-transaction.ts';
import { waitingFor } from './wake.ts';

/** Refused because of another row: a unique value, an exclusion, a parent. */
const mayPass = ({ details }: TandemError) =>
  ['23505', '23P01', '23503'].includes(String(details['sqlstate']));

/**
 * Derives roots inside a transaction: locks their entities, writes what they yield, wakes what
 * waited for it, and stops an entity of which too much is refused.
 */
export class Derivation {
  readonly #context: ApplyContext;
  readonly #inactive: InactiveEntities;
  readonly #journals: Journals;
  readonly #deriver: Deriver;

  constructor(context: ApplyContext, inactive: InactiveEntities, journals: Journals) {
    const { model, options } = context;
    this.#context = context;
    this.#inactive = inactive;
    this.#journals = journals;
    this.#deriver = new Deriver(model, Math.max(TOLERATED, options.maxRoots * options.stopShare));
  }

  /** What is known of the target's rows may be wrong: somebody removed one. */
  forget(): void {
    this.#deriver.forget();
  }

  /** The transaction has committed. */
  committed(tx: TargetTransaction): void {
    this.#deriver.learn(tx.seen);
  }

  /** Locks entities that the transaction has not locked yet. */
  async lock(tx: TargetTransaction, entities: Iterable<string>): Promise<void> {
    const { client, model } = this.#context;
    const wanted = [...entities].filter((entity) => !tx.locked.has(entity));
    if (wanted.length === 0) return;
    await lockEntities(client, model, wanted);
    for (const entity of wanted) tx.locked.add(entity);
  }

  /** Derives what is affected, then what that wakes, until nothing new arrives. */
  async finish(tx: TargetTransaction): Promise<void> {
    const { client, model } = this.#context;
    const order = model.entities.map((entity) => entity.name);
    let isLast = false;
    for (let refusedBefore = Infinity; ;) {
      let roots = await tx.affected.take(client, order);
      if (roots.size === 0) {
        // By now all is there that they may have lacked. Children first: what goes, goes in that order.
        roots = await tx.putOff.take(client, order.toReversed());
        isLast ||= roots.size > 0;
      }
      if (roots.size === 0) {
        // What stood in a refused row's way (a unique value, a parent) may be settled by now.
        const { count, again } = tx.takeRefused();
        if (count === 0 || count >= refusedBefore) break;
        refusedBefore = count;
        roots = again;
        isLast = true;
      }
      await tx.phase('derive', () => this.derive(tx, roots, isLast));
    }
    await this.#appendJournals(tx);
  }

  /** As `finish`, in the middle of a transaction: what comes later may be what is lacking. */
  async finishSoFar(tx: TargetTransaction): Promise<void> {
    const { client, model } = this.#context;
    const order = model.entities.map((entity) => entity.name);
    for (;;) {
      const roots = await tx.affected.take(client, order);
      if (roots.size === 0) break;
      await tx.phase('derive', () => this.derive(tx, roots));
    }
    await this.#appendJournals(tx);
  }

  async #appendJournals(tx: TargetTransaction): Promise<void> {
    const { client } = this.#context;
    await this.lock(tx, this.#journals.waiting());
    await tx.phase('journal', () => this.#journals.append(client, tx.carefully));
  }

  /**
   * Derives these roots; their entities are locked.
   *
   * @param isLast nothing more comes that they may lack: what fails now is refused
   */
  async derive(tx: TargetTransaction, roots: Map<string, Roots>, isLast = false): Promise<void> {
    for (const entity of [...roots.keys()]) if (this.#inactive.has(entity)) roots.delete(entity);
    const result = tx.carefully
      ? await this.#deriveCarefully(tx, roots, isLast)
      : await this.#deriver.derive(this.#context.client, roots, new Map(), false);
    tx.see(result.seen);
    for (const [entity, counts] of result.outcomes) tx.derived(entity, counts);
    if (result.arrivals.size > 0) await this.wake(tx, result.arrivals);
    if (result.gone.size > 0) await this.#journals.giveUp(this.#context.client, result.gone);
    for (const entity of result.quarantined) await this.#stopIfTooMany(entity);
  }

  /**
   * With savepoints: rows that the database refuses are found, set aside, and the rest is derived.
   * What the database would refuse at the commit, or cannot remove, is asked for at once. Rows that
   * are still to come may be what is lacking, so roots of which some fail are put off to the end of
   * the transaction; only then the root is looked for without which the others pass.
   */
  async #deriveCarefully(
    tx: TargetTransaction,
    roots: Map<string, Roots>,
    isLast: boolean,
  ): Promise<DeriveResult> {
    const { client } = this.#context;
    const refused: Refused = new Map();
    await execute(client, 'savepoint deriving');
    for (;;) {
      try {
        const result = await this.#tryOut(roots, refused);
        await execute(client, 'release savepoint deriving');
        noteRefused(tx, refused);
        return result;
      } catch (thrown) {
        const error = statementError('target', thrown, 'derive');
        await execute(client, 'rollback to savepoint deriving');
        const isStopped = error.code === 'ENTITY_STOPPED';
        if (!isStopped && !isAboutRows(error)) throw thrown;
        if (isStopped) await this.#stop(error, roots, refused);
        else if (isLast) await this.#refuseCulprit(roots, refused, error);
        else return await this.#putOff(tx, roots);
        await execute(client, 'release savepoint deriving');
        await execute(client, 'savepoint deriving');
      }
    }
  }

  /** Adds to `refused` the rows that fail on their own; throws what all others come to. */
  async #tryOut(roots: ReadonlyMap<string, Roots>, refused: Refused): Promise<DeriveResult> {
    const { client } = this.#context;
    for (;;) {
      const result = await this.#deriver.derive(client, roots, refused, true);
      if (result.refused.size === 0) {
        await checkNow(client);
        return result;
      }
      for (const [entity, errors] of result.refused) {
        const known = refused.get(entity) ?? new Map<string, TandemError>();
        for (const [key, error] of errors) known.set(key, error);
        refused.set(entity, known);
      }
      await execute(client, 'rollback to savepoint deriving');
    }
  }

  async #putOff(tx: TargetTransaction, roots: ReadonlyMap<string, Roots>): Promise<DeriveResult> {
    const { client } = this.#context;
    await execute(client, 'release savepoint deriving');
    for (const [entity, all] of roots) {
      const known = rootsOf(tx.putOff.memory, entity);
      for (const key of all.keys()) known.set(key, undefined);
    }
    await tx.putOff.settle(client);
    return NOTHING_DERIVED;
  }

  async #stop(error: TandemError, roots: Map<string, Roots>, refused: Refused): Promise<void> {
    const entity = String(error.details['entity']);
    await this.#inactive.stop(entity, error.message);
    roots.delete(entity);
    refused.delete(entity);
  }

  /** Refuses the root without which those behind it pass. */
  async #refuseCulprit(
    roots: Map<string, Roots>,
    refused: Refused,
    error: TandemError,
  ): Promise<void> {
    const { client, model } = this.#context;
    const parentsFirst = model.entities.flatMap(({ name }) => {
      const some = roots.get(name);
      return some === undefined ? [] : [[name, some] as const];
    });
    const trial = { roots: new Map(parentsFirst), refused, failure: error };
    const culprit = await findCulprit(trial, async (some) => {
      try {
        await this.#tryOut(some, new Map([...refused].map(([name, it]) => [name, new Map(it)])));
        return null;
      } catch (thrown) {
        const failed = statementError('target', thrown, 'derive');
        // Where too many rows fail on their own, the others cannot be judged.
        if (isAboutRows(failed) || failed.code === 'ENTITY_STOPPED') return failed;
        throw thrown;
      } finally {
        await execute(client, 'rollback to savepoint deriving');
      }
    });
    if (culprit === null) throw error;
    try {
      this.#deriver.refuse(culprit.entity, culprit.key, culprit.error, refused);
    } catch (tooMany) {
      if (!(tooMany instanceof TandemError)) throw tooMany;
      await this.#stop(tooMany, roots, refused);
    }
  }

  async #stopIfTooMany(entity: string): Promise<void> {
    const { client, model, options } = this.#context;
    if (this.#inactive.has(entity)) return;
    const reason = await reasonToStop(client, model, entity, options.stopShare);
    if (reason !== null) await this.#inactive.stop(entity, reason);
  }

  /** Appends entries of a journal that waited, where their parents are there. */
  async wakeJournal(
    tx: TargetTransaction,
    journal: JournalEntity,
    keys: readonly string[],
  ): Promise<void> {
    await this.#journals.wake(this.#context.client, journal, keys, tx.carefully);
  }

  /** What waits for new rows is derived here where its entity is locked anyway, else as a job. */
  async wake(
    tx: TargetTransaction,
    arrivals: ReadonlyMap<string, readonly string[]>,
  ): Promise<void> {
    const { client, model } = this.#context;
    for (const [name, keys] of await waitingFor(client, arrivals)) {
      const journal = model.journals.find((entity) => entity.name === name);
      if (journal !== undefined) {
        await this.wakeJournal(tx, journal, [...keys]);
      } else if (this.#inactive.has(name) || !model.entity.has(name)) {
        continue;
      } else if (tx.locked.has(name)) {
        const roots = rootsOf(tx.affected.memory, name);
        for (const key of keys) roots.set(key, undefined);
      } else {
        await addJob(client, {
          entity: name,
          usage: null,
          values: [...keys],
          reason: 'a parent arrived',
        });
      }
    }
  }
}

/**
 * A row may be behind it, not a table as a whole, the connection or the server. A check that names a
 * table which is not there is a trigger's, of any table.
 */
const isAboutRows = (error: TandemError) =>
  error.code === 'TARGET_FAILED' &&
  error.details['sqlstate'] !== undefined &&
  (error.details['step'] === 'check' || !isAboutTheTable(error));

function noteRefused(tx: TargetTransaction, refused: Refused): void {
  for (const [entity, errors] of refused) {
    const known = rootsOf(tx.refused, entity);
    for (const [key, error] of errors) if (mayPass(error)) known.set(key, undefined);
  }
}

const NOTHING_DERIVED: DeriveResult = {
  arrivals: new Map(),
  gone: new Map(),
  outcomes: new Map(),
  refused: new Map(),
  quarantined: new Set(),
  seen: [],
};
