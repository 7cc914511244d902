import { execute } from '../connectors/postgres/connection.ts';
import type { JournalEntity } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import { rootsOf, type Roots } from './affected.ts';
import type { ApplyContext } from './apply-context.ts';
import { Deriver, type Refused } from './derive.ts';
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
    for (let refusedBefore = Infinity; ;) {
      let roots = await tx.affected.take(client, order);
      if (roots.size === 0) {
        // What stood in a refused row's way (a unique value, a parent) may be settled by now.
        const { count, again } = tx.takeRefused();
        if (count === 0 || count >= refusedBefore) break;
        refusedBefore = count;
        roots = again;
      }
      await tx.phase('derive', () => this.derive(tx, roots));
    }
    await this.lock(tx, this.#journals.waiting());
    await tx.phase('journal', () => this.#journals.append(client, tx.carefully));
  }

  /** Derives these roots; their entities are locked. */
  async derive(tx: TargetTransaction, roots: Map<string, Roots>): Promise<void> {
    for (const entity of [...roots.keys()]) if (this.#inactive.has(entity)) roots.delete(entity);
    const result = tx.carefully
      ? await this.#deriveCarefully(tx, roots)
      : await this.#deriver.derive(this.#context.client, roots, new Map(), false);
    tx.see(result.seen);
    for (const [entity, counts] of result.outcomes) tx.derived(entity, counts);
    if (result.arrivals.size > 0) await this.wake(tx, result.arrivals);
    if (result.gone.size > 0) await this.#journals.giveUp(this.#context.client, result.gone);
    for (const entity of result.quarantined) await this.#stopIfTooMany(entity);
  }

  /** With savepoints: rows that the database refuses are found, set aside, and the rest is derived. */
  async #deriveCarefully(tx: TargetTransaction, roots: Map<string, Roots>) {
    const { client } = this.#context;
    const refused: Refused = new Map();
    await execute(client, 'savepoint deriving');
    for (;;) {
      try {
        const result = await this.#deriver.derive(client, roots, refused, true);
        if (result.refused.size === 0) {
          await execute(client, 'release savepoint deriving');
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
        await execute(client, 'rollback to savepoint deriving');
        const entity = String(error.details['entity']);
        await this.#inactive.stop(entity, error.message);
        roots.delete(entity);
        refused.delete(entity);
        await execute(client, 'release savepoint deriving');
        await execute(client, 'savepoint deriving');
        continue;
      }
      await execute(client, 'rollback to savepoint deriving');
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
