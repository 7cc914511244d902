import type pg from 'pg';
import type { DerivedEntity } from '../../core/entity.ts';
import { waitingFor } from '../../consumers/wake.ts';
import { ForeseeEntity, type LookOptions } from '../changes/foresee-entity.ts';
import { countRefused, type WantedRoots } from '../changes/foresee.ts';
import type { ForeseenChanges } from '../changes/foreseen.ts';
import { PutOff } from './put-off.ts';
import { ShadowRows } from './shadow-rows.ts';

export type Filled = {
  readonly entities: readonly ForeseenChanges[];
  /** Entries of journals that wait for rows which would come, by journal. */
  readonly journals: Readonly<Record<string, number>>;
  /** Roots that wait for rows which would come, and were too many to look at. */
  readonly leftOut: number;
  /** Every copy, with the table that it is one of. */
  readonly tables: readonly {
    readonly table: string;
    readonly copy: string;
    readonly rows: number;
  }[];
};

/** Roots of one entity that wait for rows which would come: more are not looked at. */
const MOST_WOKEN = 100_000;

type RunOptions = LookOptions & { readonly schema: string };
type Session = ConstructorParameters<typeof ForeseeEntity>[2];

/** What is known of one entity in a run. */
type Part = {
  readonly look: ForeseeEntity;
  readonly putOff: PutOff;
  /** Roots that were asked for or woken; null: all. */
  readonly known: Set<string> | null;
};

/** One run into a shadow: the roots that were asked for, and those that what they yield concerns. */
export class ShadowRun {
  readonly #options: RunOptions;
  readonly #rows: ShadowRows;
  readonly #session: Session;
  readonly #parts = new Map<string, Part>();
  readonly #journals = new Map<string, Set<string>>();
  /** Not looked at yet. */
  #woken = new Map<string, Set<string>>();
  #hasNews = false;
  #leftOut = 0;

  constructor(options: RunOptions, writer: pg.ClientBase, session: Session) {
    this.#options = options;
    this.#session = session;
    this.#rows = new ShadowRows(writer, options.schema, options.model);
  }

  async fill(wanted: readonly WantedRoots[]): Promise<Filled> {
    const { model } = this.#options;
    for (const { entity: name, keys } of wanted) {
      const entity = model.entity.get(name);
      if (entity === undefined) continue;
      for (const table of entity.targets) await this.#rows.table(table);
      this.#part(entity, keys === null ? null : new Set(keys));
    }
    for (const { entity, keys } of wanted) await this.#parts.get(entity)?.look.look(keys);
    // What came last may be what was lacking; once nothing new comes, it is lacking for good.
    for (let isLast = false; !isLast || this.#woken.size > 0;) {
      isLast ||= !this.#hasNews;
      this.#hasNews = false;
      await this.#lookAgain(isLast);
    }
    const entities: ForeseenChanges[] = [];
    for (const { name } of model.entities) {
      const part = this.#parts.get(name);
      if (part === undefined) continue;
      if (part.known === null) await part.look.findStrays();
      const keys = part.known === null ? null : [...part.known];
      const removals = await this.#refusedRemovals({ entity: name, keys });
      entities.push({ ...part.look.found, unforeseeable: removals });
    }
    return {
      entities,
      journals: Object.fromEntries([...this.#journals].map(([name, it]) => [name, it.size])),
      leftOut: this.#leftOut,
      tables: [...this.#rows.tables].map(([table, { name: copy, rows }]) => ({
        table,
        copy,
        rows,
      })),
    };
  }

  /** Parents first, as ever. */
  async #lookAgain(isLast: boolean): Promise<void> {
    const woken = this.#woken;
    this.#woken = new Map();
    for (const entity of this.#options.model.entities) {
      const fresh = [...(woken.get(entity.name) ?? [])];
      const known = this.#parts.get(entity.name);
      if (known === undefined && fresh.length === 0) continue;
      const { look, putOff } = known ?? this.#part(entity, new Set(fresh));
      putOff.isLast = isLast;
      await look.lookAgain(putOff.take());
      await look.look(fresh);
    }
  }

  #part(entity: DerivedEntity, known: Set<string> | null): Part {
    const rows = this.#rows;
    const putOff = new PutOff((table, id) => rows.promise(table, id));
    const look = new ForeseeEntity(this.#options, entity, this.#session, {
      into: {
        sift: (roots) => putOff.sift(roots),
        write: (groups) => rows.write(entity.name, groups),
        lookUp: rows.lookUp,
      },
      noting: (findings) => rows.noting(findings),
      flush: async () => {
        await rows.flush(entity.name);
        await this.#wake();
      },
    });
    const part = { look, putOff, known };
    this.#parts.set(entity.name, part);
    return part;
  }

  /** Notes who waits for the rows that have just come. */
  async #wake(): Promise<void> {
    const { model } = this.#options;
    const arrivals = this.#rows.takeArrivals();
    if (arrivals.size === 0) return;
    this.#hasNews = true;
    for (const [name, keys] of await waitingFor(this.#session.client, arrivals)) {
      const isJournal = model.journals.some((journal) => journal.name === name);
      if (isJournal) addAll(this.#journals, name, keys);
      else if (model.entity.has(name)) this.#noteWoken(name, keys);
    }
  }

  #noteWoken(entity: string, keys: ReadonlySet<string>): void {
    const known = this.#parts.get(entity)?.known;
    if (known === null) return;
    const fresh = [...keys].filter((key) => known?.has(key) !== true);
    if ((this.#woken.get(entity)?.size ?? 0) + fresh.length > MOST_WOKEN) {
      this.#leftOut += fresh.length;
    } else if (fresh.length > 0) {
      addAll(this.#woken, entity, fresh);
      for (const key of fresh) known?.add(key);
    }
  }

  async #refusedRemovals(roots: WantedRoots): Promise<number> {
    return await countRefused(this.#session.client, roots, ['TARGET_REFUSED_REMOVAL']);
  }
}

function addAll(to: Map<string, Set<string>>, name: string, keys: Iterable<string>): void {
  let known = to.get(name);
  if (known === undefined) to.set(name, (known = new Set()));
  for (const key of keys) known.add(key);
}
