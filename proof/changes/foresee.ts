import type pg from 'pg';
import { textRows, type Database } from '../../connectors/postgres/connection.ts';
import { arrayLiteral } from '../../connectors/postgres/sql.ts';
import { Existence } from '../../consumers/existence.ts';
import { TreeLoader } from '../../consumers/load-tree.ts';
import { legacyKey } from '../../consumers/map-roots.ts';
import { MARK_NAMES } from '../../consumers/marks.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import { keyText, type Image } from '../../core/mirror-table.ts';
import type { Observer } from '../../core/ports.ts';
import { uuidOf } from '../../core/uuid.ts';
import { Snapshot } from '../snapshot.ts';
import { compareYielded } from '../target/compare-yielded.ts';
import { findExtraRows, findStrayMarks, liveSql } from '../target/find-strays.ts';
import { RootPages } from '../target/root-pages.ts';
import { PageCheck } from '../target/verify-page.ts';
import { Foreseen, type ForeseenChanges } from './foreseen.ts';

export type ForeseeOptions = {
  readonly target: Database;
  readonly model: Model;
  /** `keys` null: all roots. */
  readonly wanted: readonly { readonly entity: string; readonly keys: readonly string[] | null }[];
  /** Roots in memory at a time. */
  readonly pageRows: number;
  /** Keys that are named of every kind of change. */
  readonly examples: number;
  readonly observer: Observer;
  readonly signal: AbortSignal;
};

/**
 * What deriving roots again would change, with the mapping of this process: the proof of the target,
 * whose findings are here no faults but what is still to come. It reads one snapshot of the target,
 * writes nothing and takes no locks.
 *
 * Entities are looked at one by one: what a row of one would do for those that wait for it is not
 * among the changes.
 */
export async function foreseeChanges(options: ForeseeOptions): Promise<ForeseenChanges[]> {
  await using snapshot = await Snapshot.take(options.target);
  const session = await snapshot.session();
  const found: ForeseenChanges[] = [];
  try {
    for (const { entity: name, keys } of options.wanted) {
      const entity = options.model.entity.get(name);
      if (entity === undefined) continue;
      const one = new ForeseeEntity(options, entity, session, (client) => snapshot.enter(client));
      found.push(await one.foresee(keys));
    }
  } finally {
    await session.end();
  }
  return found;
}

class ForeseeEntity {
  readonly #options: ForeseeOptions;
  readonly #entity: DerivedEntity;
  readonly #client: pg.Client;
  readonly #loader: TreeLoader;
  readonly #foreseen: Foreseen;
  readonly #check: PageCheck;

  constructor(
    options: ForeseeOptions,
    entity: DerivedEntity,
    client: pg.Client,
    enter: (client: pg.ClientBase) => Promise<void>,
  ) {
    const { model } = options;
    this.#options = options;
    this.#entity = entity;
    this.#client = client;
    this.#loader = new TreeLoader(entity.shape, model.mirror);
    this.#foreseen = new Foreseen(options.examples);
    this.#check = new PageCheck({
      ...{ model, entity, enter, loader: this.#loader },
      existence: new Existence(),
      lists: MARK_NAMES,
      findings: this.#foreseen,
    });
  }

  async foresee(keys: readonly string[] | null): Promise<ForeseenChanges> {
    if (keys === null) await this.#all();
    else await this.#some(keys);
    const [row] = await textRows(
      this.#client,
      `select count(*) from tandem.quarantine where entity = $1
         and error_class in ('TARGET_REFUSED_ROW', 'TARGET_REFUSED_REMOVAL')
         and ($2::text[] is null or root_key = any($2))`,
      [this.#entity.name, keys === null ? null : arrayLiteral(keys)],
    );
    return {
      entity: this.#entity.name,
      roots: keys?.length ?? this.#check.roots,
      tables: this.#foreseen.tables,
      outcomes: this.#foreseen.outcomes,
      unforeseeable: Number(row?.[0] ?? 0),
    };
  }

  async #all(): Promise<void> {
    const { model, pageRows, observer, signal } = this.#options;
    const pages = new RootPages(this.#loader.root, pageRows);
    for (;;) {
      signal.throwIfAborted();
      const images = await pages.next(this.#client);
      if (images.length === 0) break;
      await this.#check.check(this.#client, images);
      observer.progress('dry run', this.#entity.name, this.#check.roots, null);
    }
    await findExtraRows(this.#client, model, this.#entity, this.#check, this.#foreseen);
    await findStrayMarks(this.#client, model, this.#entity, MARK_NAMES, this.#foreseen);
  }

  async #some(keys: readonly string[]): Promise<void> {
    const { pageRows, observer, signal } = this.#options;
    for (let start = 0; start < keys.length; start += pageRows) {
      signal.throwIfAborted();
      const page = keys.slice(start, start + pageRows);
      const images = await this.#loader.rootsByKey(this.#client, page);
      if (images.length > 0) await this.#check.check(this.#client, images);
      await this.#gone(page, images);
      observer.progress('dry run', this.#entity.name, start + page.length, keys.length);
    }
  }

  /** Roots that are deleted in the source: their rows go. */
  async #gone(keys: readonly string[], images: readonly Image[]): Promise<void> {
    const { model } = this.#options;
    const entity = this.#entity;
    const { root } = this.#loader;
    const there = new Set(images.map((image) => keyText(root, image)));
    const gone = keys.filter((key) => !there.has(key));
    if (gone.length === 0) return;
    if (entity.fanOut) {
      const resolved = gone.map((key) => ({
        key,
        mapped: { kind: 'gone' as const },
        unresolved: [],
        heldBy: [],
      }));
      await compareYielded(this.#client, model, entity, resolved, this.#foreseen);
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
        this.#foreseen.row('extra', fault);
      }
    }
  }
}
