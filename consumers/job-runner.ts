import { preparedRows } from '../connectors/postgres/connection.ts';
import type { Affected, Roots } from './affected.ts';
import type { ApplyContext } from './apply-context.ts';
import { AT_ONCE, meetThemselves } from './big-table.ts';
import type { Derivation } from './derivation.ts';
import type { Fence } from './fence.ts';
import type { InactiveEntities } from './inactive-entities.ts';
import { jobSlices } from './job-roots.ts';
import { moveJob, takeJob, type Job } from './jobs.ts';
import { sideBySide } from './side-by-side.ts';
import { addStraysJob, forgetStrays, removeStrays, STRAYS } from './strays.ts';
import { TargetTransaction } from './target-transaction.ts';

/** Roots of a job that are derived together. */
const SLICE_ROOTS = 500;

/** Derives behind the stream: jobs, portion by portion, each a transaction that the caller frames. */
export class JobRunner {
  readonly #context: ApplyContext;
  readonly #fence: Fence;
  readonly #derivation: Derivation;
  readonly #inactive: InactiveEntities;
  readonly #affected: Affected;
  /** In turns: neither waits for all of the other. */
  #first: 'whole' | 'some' = 'some';
  #mostSlices = Infinity;

  constructor(
    context: ApplyContext,
    parts: {
      readonly fence: Fence;
      readonly derivation: Derivation;
      readonly inactive: InactiveEntities;
      readonly affected: Affected;
    },
  ) {
    this.#context = context;
    this.#fence = parts.fence;
    this.#derivation = parts.derivation;
    this.#inactive = parts.inactive;
    this.#affected = parts.affected;
  }

  /**
   * Does one portion of the oldest job, slice by slice until `isOver`. Null: there is none that this
   * process could take.
   *
   * @param carefully row by row where needed: one of them is refused
   */
  async runPortion(
    carefully: boolean,
    isOver: () => boolean,
  ): Promise<{ tx: TargetTransaction; report: () => void } | null> {
    const { client, model, options, observer } = this.#context;
    await this.#fence.hold();
    // Of the model, not of the mapping: one whose table has just been read waits for the next session.
    const here = [...model.entities, ...model.journals].map((entity) => entity.name);
    const active = this.#inactive.without(here);
    const job = await takeJob(client, [...active], this.#first);
    if (job === null) return null;
    // Behind a refused row the same may stand again: what is lost by it begins small.
    this.#mostSlices = carefully ? 1 : this.#mostSlices * 2;
    const tx = new TargetTransaction(options.maxRoots, carefully);
    await this.#derivation.lock(tx, [job.entity]);
    if (job.usage === STRAYS) return { tx, report: await this.#removeStrays(job) };
    const { last, done } = await this.#slices(tx, job, isOver);
    await this.#derivation.finish(tx);
    await moveJob(client, job, last, done);
    if (last === null && job.usage === null && job.values === null) {
      await addStraysJob(client, model, job.entity);
    }
    const facts = { entity: job.entity, roots: done, finished: last === null };
    this.#first = this.#first === 'some' ? 'whole' : 'some';
    return { tx, report: () => observer.event('job portion done', facts) };
  }

  /** Removes a portion of the rows that belong to no root. */
  async #removeStrays(job: Job): Promise<() => void> {
    const { client, model, observer } = this.#context;
    const entity = model.entity.get(job.entity);
    if (entity === undefined) throw new Error(`no entity ${job.entity}`);
    const { removed, kept, after } = await removeStrays(client, model, entity, job.after);
    await moveJob(client, job, after, removed);
    if (after === null) await forgetStrays(client, model, entity);
    const facts = { entity: job.entity, removed, kept, finished: after === null };
    return () => observer.event('rows without a root removed', facts, kept > 0 ? 'warn' : 'info');
  }

  /** Derives slices of a job side by side; returns where the last one ended, and how many roots. */
  async #slices(
    tx: TargetTransaction,
    job: Job,
    isOver: () => boolean,
  ): Promise<{ last: string | null; done: number }> {
    const { model, options } = this.#context;
    const most = this.#mostSlices;
    const slices = jobSlices(
      this.#context,
      this.#affected,
      job,
      Math.min(options.maxRoots, SLICE_ROOTS),
    );
    let [last, done, count]: [string | null, number, number] = [null, 0, 0];
    const isInactive = () => this.#inactive.has(job.entity);
    const portion = async function* () {
      for await (const slice of slices) {
        last = slice.last;
        done += slice.roots.size;
        count++;
        yield slice.roots;
        if (count >= most || isOver() || isInactive()) return;
      }
    };
    const entity = model.entity.get(job.entity);
    const isApart = entity !== undefined && !tx.carefully && !meetThemselves(model, [entity]);
    await sideBySide(portion(), isApart ? AT_ONCE : 1, (roots) => this.#slice(tx, job, roots));
    return { last, done };
  }

  async #slice(tx: TargetTransaction, job: Job, roots: Roots): Promise<void> {
    const journal = this.#context.model.journals.find(({ name }) => name === job.entity);
    if (journal !== undefined) {
      await this.#derivation.wakeJournal(tx, journal, [...roots.keys()]);
      return;
    }
    await tx.phase('derive', () => this.#derivation.derive(tx, new Map([[job.entity, roots]])));
  }

  /** Wakes what waits for rows that are there: they came by another way than a batch or a job. */
  async wakeWaiting(): Promise<void> {
    const { client, options } = this.#context;
    await this.#fence.hold();
    const rows = await preparedRows(
      client,
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
    await this.#derivation.wake(new TargetTransaction(options.maxRoots, true), arrivals);
  }
}
