import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { Existence } from '../../consumers/existence.ts';
import { TreeLoader } from '../../consumers/load-tree.ts';
import { legacyKey } from '../../consumers/map-roots.ts';
import { MARK_NAMES, type Lines } from '../../consumers/marks.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import { keyText, type Image } from '../../core/mirror-table.ts';
import type { Observer } from '../../core/ports.ts';
import { uuidOf } from '../../core/uuid.ts';
import { compareMarks, readMarks } from '../target/compare-marks.ts';
import { compareYielded } from '../target/compare-yielded.ts';
import { findExtraRows, findStrayMarks, liveSql } from '../target/find-strays.ts';
import type { Sink } from '../target/findings.ts';
import { RootPages } from '../target/root-pages.ts';
import { PageCheck, type Into } from '../target/verify-page.ts';
import { Foreseen, type ForeseenChanges } from './foreseen.ts';

export type LookOptions = {
  readonly model: Model;
  /** Roots in memory at a time. */
  readonly pageRows: number;
  /** Keys that are named of every kind of change. */
  readonly examples: number;
  readonly observer: Observer;
  readonly signal: AbortSignal;
};

/** What else is done with what is found. */
export type Beside = {
  readonly into: Into;
  /** Put around what counts the findings. */
  readonly noting: (findings: Sink) => Sink;
  /** A page is done. */
  readonly flush: () => Promise<void>;
};

/** Looks at roots of one entity: what deriving them again would change. */
export class ForeseeEntity {
  readonly #options: LookOptions;
  readonly #entity: DerivedEntity;
  readonly #client: pg.Client;
  readonly #loader: TreeLoader;
  readonly #foreseen: Foreseen;
  readonly #sink: Sink;
  readonly #check: PageCheck;
  readonly #flush: () => Promise<void>;
  #roots = 0;

  constructor(
    options: LookOptions,
    entity: DerivedEntity,
    session: { readonly client: pg.Client; readonly enter: (it: pg.ClientBase) => Promise<void> },
    beside?: Beside,
  ) {
    const { model } = options;
    this.#options = options;
    this.#entity = entity;
    this.#client = session.client;
    this.#loader = new TreeLoader(entity.shape, model.mirror);
    this.#foreseen = new Foreseen(options.examples);
    this.#sink = beside?.noting(this.#foreseen) ?? this.#foreseen;
    this.#flush = beside?.flush ?? (() => Promise.resolve());
    this.#check = new PageCheck({
      ...{ model, entity, enter: session.enter, loader: this.#loader },
      existence: new Existence(),
      lists: MARK_NAMES,
      findings: this.#sink,
      ...(beside === undefined ? {} : { into: beside.into }),
    });
  }

  /** Looks at these roots, or all. */
  async look(keys: readonly string[] | null): Promise<void> {
    this.#roots += keys === null ? await this.#all() : await this.#some(keys);
  }

  /** Looks once more at some that were put off. */
  async lookAgain(keys: readonly string[]): Promise<void> {
    await this.#some(keys);
  }

  /** Behind all roots: finds rows and entries that are of none of them. */
  async findStrays(): Promise<void> {
    const { model } = this.#options;
    await findExtraRows(this.#client, model, this.#entity, this.#check, this.#sink);
    await findStrayMarks(this.#client, model, this.#entity, MARK_NAMES, this.#sink);
    await this.#flush();
  }

  get found(): Omit<ForeseenChanges, 'unforeseeable'> {
    const { tables, outcomes } = this.#foreseen;
    return { entity: this.#entity.name, roots: this.#roots, tables, outcomes };
  }

  async #all(): Promise<number> {
    const { pageRows, observer, signal } = this.#options;
    const pages = new RootPages(this.#loader.root, pageRows);
    for (let roots = 0; ;) {
      signal.throwIfAborted();
      const images = await pages.next(this.#client);
      if (images.length === 0) return roots;
      await this.#check.check(this.#client, images);
      await this.#flush();
      roots += images.length;
      observer.progress('dry run', this.#entity.name, roots, null);
    }
  }

  async #some(keys: readonly string[]): Promise<number> {
    const { pageRows, observer, signal } = this.#options;
    for (let start = 0; start < keys.length; start += pageRows) {
      signal.throwIfAborted();
      const page = keys.slice(start, start + pageRows);
      const images = await this.#loader.rootsByKey(this.#client, page);
      if (images.length > 0) await this.#check.check(this.#client, images);
      await this.#gone(page, images);
      await this.#flush();
      observer.progress('dry run', this.#entity.name, start + page.length, keys.length);
    }
    return keys.length;
  }

  /** Roots that are deleted in the source: their rows and entries go. */
  async #gone(keys: readonly string[], images: readonly Image[]): Promise<void> {
    const { model } = this.#options;
    const entity = this.#entity;
    const { root } = this.#loader;
    const there = new Set(images.map((image) => keyText(root, image)));
    const gone = keys.filter((key) => !there.has(key));
    if (gone.length === 0) return;
    const listed = await readMarks(this.#client, entity.name, MARK_NAMES, gone);
    for (const fault of compareMarks(NO_LINES, listed)) {
      // Whether it can be removed now only the target can say.
      if (fault.of !== 'TARGET_REFUSED_REMOVAL') this.#sink.mark(fault);
    }
    if (entity.fanOut) {
      const resolved = gone.map((key) => ({
        key,
        mapped: { kind: 'gone' as const },
        unresolved: [],
        heldBy: [],
      }));
      await compareYielded(this.#client, model, entity, resolved, this.#sink);
      return;
    }
    const rootOf = new Map(gone.map((key) => [uuidOf(entity.identity, legacyKey(root, key)), key]));
    for (const table of entity.targets) {
      const rows = await textRows(
        this.#client,
        `select t.id from ${targetName(table)} as t
         where t.id = any($1::uuid[]) and ${liveSql(model, table, 't')}`,
        [arrayLiteral([...rootOf.keys()])],
      );
      for (const [id] of rows) {
        const fault = { root: rootOf.get(id ?? '') ?? null, table, id: id ?? '', columns: [] };
        this.#sink.row('extra', fault);
      }
    }
  }
}

const NO_LINES: Lines = { held: [], unresolved: [], excluded: [], quarantine: [], issue: [] };
