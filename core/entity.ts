import type { Columns } from './legacy-table.ts';
import type { Outcome } from './outcome.ts';
import type { Shape, ShapeNode } from './shape.ts';
import type { LegacyKey } from './uuid.ts';
import type { Version } from './version.ts';

/** What every entity has, without its types: what the engine works with. */
type EntityBase = {
  readonly name: string;
  /** The target tables it writes; the first is its own. */
  readonly targets: readonly string[];
  readonly shape: ShapeNode;
  /** File and line of its definition, for messages. */
  readonly definedAt: string;
};

/** Target rows that are a function of the present mirror rows. */
export type DerivedEntity = EntityBase & {
  readonly kind: 'derived';
  /** The name its rows' ids are computed from. */
  readonly identity: string;
  /** True: a root's rows are not just one with the root's own key, so what it yielded is recorded. */
  readonly fanOut: boolean;
  /** Target columns that carry a column of the root unchanged: the account sums both sides. */
  readonly sums: Readonly<Record<string, string>>;
  /** Keys of rows that a migration seeds: they may stand without a root until one adopts them. */
  readonly seeds: readonly LegacyKey[];
  readonly map: (root: never) => Outcome;
};

/** Columns of a root that can be added up, among those that its shape selects. */
type Summable<C extends Columns, R> = {
  [P in keyof C]: C[P]['kind'] extends 'numeric' | 'int2' | 'int4' | 'int8' ? P : never;
}[keyof C] &
  keyof R &
  string;

/** A change as a journal sees it: one key, before and after, in the order of the source. */
export type ObservedChange<R> = {
  readonly before: R;
  readonly after: R;
  readonly version: Version;
  /** timestamptz text: the commit time on the source's clock, or the time of the read. */
  readonly at: string;
  /** `at` of the change of this key that the journal holds as its newest; null or absent before the first. */
  readonly previousAt?: string | null;
};

/** Target rows that are appended once per captured change and never rewritten. */
export type JournalEntity = EntityBase & {
  readonly kind: 'journal';
  readonly identity: string;
  /** One row per change that matters; `excluded` for one that does not. */
  readonly map: (change: ObservedChange<never>) => Outcome;
};

export type Entity = DerivedEntity | JournalEntity;

/** What `--mapping` names: the default export of a module. */
export type Mapping = {
  readonly name: string;
  readonly entities: readonly Entity[];
  /** Folder of the target's migrations, seen from the mapping module; null where there is none. */
  readonly migrations: string | null;
  /**
   * SQL file with views over the engine's own tables, seen from the mapping module: setup runs it
   * every time, behind those tables and the migrations. May be repeated, and names its schemas.
   */
  readonly controlViews?: string;
};

function callSite(): string {
  const line = new Error().stack?.split('\n')[3] ?? '';
  const match = /\(?((?:file:\/\/)?[^()\s]+:\d+):\d+\)?$/.exec(line.trim());
  return (match?.[1] ?? 'unknown place').replace('file://', '');
}

/**
 * A target table as a pure function of legacy rows: `from` is the tree that it reads, `map` turns
 * one root with its relations into rows.
 */
export function entity<C extends Columns, R>(definition: {
  readonly name: string;
  /** The target table, or several: then every row says which by `into`. */
  readonly target: string | readonly string[];
  /** Where ids are computed from another name than the entity's (a subtype that shares a key). */
  readonly identity?: string;
  /** Set where a root may yield several rows, or rows whose id is not `ref(identity, root key)`. */
  readonly fanOut?: true;
  /**
   * Target columns (of amounts, mostly) and the root's column that each carries as it is, one row a
   * root: `tandem verify` adds up both sides, to the last digit.
   */
  readonly sums?: Readonly<Record<string, Summable<C, R>>>;
  /** Keys of rows that a migration seeds and that a root of this key adopts when it comes. */
  readonly seeds?: readonly LegacyKey[];
  readonly from: Shape<C, R>;
  readonly map: (root: R) => Outcome;
}): DerivedEntity & { readonly map: (root: R) => Outcome } {
  const targets = typeof definition.target === 'string' ? [definition.target] : definition.target;
  return {
    kind: 'derived',
    name: definition.name,
    targets,
    identity: definition.identity ?? definition.name,
    fanOut: definition.fanOut ?? targets.length > 1,
    sums: definition.sums ?? {},
    seeds: definition.seeds ?? [],
    shape: definition.from,
    definedAt: callSite(),
    map: definition.map,
  };
}

/**
 * A journal of what was seen: `map` is given every captured update, also those that a batch
 * collapses, with the row before and after. Its rows' ids must name the change's version.
 */
export function journal<C extends Columns, R>(definition: {
  readonly name: string;
  readonly target: string;
  readonly from: Shape<C, R>;
  readonly map: (change: ObservedChange<R>) => Outcome;
}): JournalEntity & { readonly map: (change: ObservedChange<R>) => Outcome } {
  return {
    kind: 'journal',
    name: definition.name,
    targets: [definition.target],
    identity: definition.name,
    shape: definition.from,
    definedAt: callSite(),
    map: definition.map,
  };
}
