import type pg from 'pg';
import type { DerivedEntity } from '../core/entity.ts';
import { Ref } from '../core/outcome.ts';
import { existingIds, type Existence } from './existence.ts';
import type { Mapped } from './map-roots.ts';
import type { Model, TargetTable } from './model.ts';

/** A reference whose parent has no target row. */
export type MissingParent = {
  readonly targetTable: string;
  readonly targetId: string;
  readonly column: string;
  readonly parentTable: string;
  readonly parent: Ref;
};

/** What becomes of a root, once it is known which parents exist. */
export type Resolved = {
  readonly key: string;
  readonly mapped: Mapped['outcome'];
  /** Missing parents of nullable columns: the columns are null for now. */
  readonly unresolved: readonly MissingParent[];
  /** Missing parents without which the row cannot be: then nothing is written. */
  readonly heldBy: readonly MissingParent[];
};
export type Work = ReadonlyMap<DerivedEntity, readonly Mapped[]>;
export type ResolvedWork = Map<DerivedEntity, Resolved[]>;

const NONE: readonly MissingParent[] = [];

/** Ids by table. */
class RowIds {
  readonly #tables = new Map<string, Set<string>>();

  has(table: string, id: string): boolean {
    return this.#tables.get(table)?.has(id) ?? false;
  }

  add(table: string, id: string): void {
    const ids = this.#tables.get(table);
    if (ids === undefined) this.#tables.set(table, new Set([id]));
    else ids.add(id);
  }

  remove(table: string, id: string): void {
    this.#tables.get(table)?.delete(id);
  }
}

/** A row that is in the target. */
export type Seen = { readonly table: string; readonly ref: Ref };

/**
 * Decides for every reference whether its parent has a target row: one that is there already, or
 * one that this batch writes. A root that lacks a not-null parent is held, and then its own rows
 * are not written, which may hold others: repeated until nothing changes.
 */
export class Resolver {
  readonly #model: Model;
  readonly #existence: Existence;
  readonly #writes: boolean;
  readonly #lookUpIds: typeof existingIds;
  /** Found in the target or written by this transaction: a fact once it has committed. */
  readonly seen: Seen[] = [];
  readonly #here = new RowIds();

  /**
   * @param writes false: nothing will be written, so only rows that are in the target count
   * @param lookUpIds which of these ids a target table holds
   */
  constructor(model: Model, existence: Existence, writes = true, lookUpIds = existingIds) {
    this.#model = model;
    this.#existence = existence;
    this.#writes = writes;
    this.#lookUpIds = lookUpIds;
  }

  async resolve(client: pg.ClientBase, work: Work): Promise<ResolvedWork> {
    const planned = new RowIds();
    for (const mapped of this.#writes ? work.values() : []) {
      for (const { outcome } of mapped) {
        if (outcome.kind !== 'rows') continue;
        for (const { table, id } of outcome.rows) planned.add(table, id);
      }
    }
    await this.#lookUp(client, work, planned);
    const held = new Map<Mapped, readonly MissingParent[]>();
    for (let changed = true; changed;) {
      changed = false;
      for (const mapped of work.values()) {
        for (const root of mapped) {
          if (held.has(root)) continue;
          const missing = this.#holding(root, planned);
          if (missing.length === 0) continue;
          held.set(root, missing);
          changed = true;
        }
      }
      if (!changed) break;
      for (const { outcome } of held.keys()) {
        if (outcome.kind !== 'rows') continue;
        for (const { table, id } of outcome.rows) planned.remove(table, id);
      }
      // A held row may be in the target from before: then its children keep pointing at it.
      await this.#lookUp(client, work, planned);
    }
    const resolved: ResolvedWork = new Map();
    for (const [entity, mapped] of work) {
      resolved.set(
        entity,
        mapped.map((root) => {
          const heldBy = held.get(root) ?? NONE;
          const unresolved = heldBy === NONE ? this.#missing(root, planned, false) : NONE;
          return { key: root.key, mapped: root.outcome, heldBy, unresolved };
        }),
      );
    }
    return resolved;
  }

  wrote(table: string, ref: Ref): void {
    // What is known already need not be learnt: in a stream of updates that is nearly all.
    if (this.#existence.knows(table, ref)) return;
    this.seen.push({ table, ref });
    this.#here.add(table, ref.uuid);
  }

  #exists(table: string, ref: Ref, planned: RowIds): boolean {
    if (this.#existence.knows(table, ref)) return true;
    return planned.has(table, ref.uuid) || this.#here.has(table, ref.uuid);
  }

  async #lookUp(client: pg.ClientBase, work: Work, planned: RowIds): Promise<void> {
    const wanted = new Map<string, Map<string, Ref>>();
    const want = (table: string, ref: Ref) => {
      if (this.#exists(table, ref, planned)) return;
      let ids = wanted.get(table);
      if (ids === undefined) wanted.set(table, (ids = new Map<string, Ref>()));
      ids.set(ref.uuid, ref);
    };
    for (const mapped of work.values()) {
      for (const { outcome } of mapped) {
        if (outcome.kind === 'held') {
          const table = this.#tableOf(outcome.parent);
          if (table !== null) want(table, outcome.parent);
        } else if (outcome.kind === 'rows') {
          for (const { table, row } of outcome.rows) {
            for (const [column, parent] of references(this.#target(table))) {
              const value = row[column];
              if (value instanceof Ref) want(parent.table, value);
            }
          }
        }
      }
    }
    for (const [table, refs] of wanted) {
      for (const id of await this.#lookUpIds(client, table, [...refs.keys()])) {
        const ref = refs.get(id);
        if (ref !== undefined) this.wrote(table, ref);
      }
    }
  }

  #holding(root: Mapped, planned: RowIds): readonly MissingParent[] {
    if (root.outcome.kind === 'held') {
      const { column, parent } = root.outcome;
      const parentTable = this.#tableOf(parent) ?? '';
      return [{ targetTable: '', targetId: parent.uuid, column, parentTable, parent }];
    }
    return this.#missing(root, planned, true);
  }

  #missing(root: Mapped, planned: RowIds, notNull: boolean): readonly MissingParent[] {
    if (root.outcome.kind !== 'rows') return NONE;
    let missing: MissingParent[] | null = null;
    for (const { table, row, id } of root.outcome.rows) {
      for (const [column, parent] of references(this.#target(table))) {
        if (parent.notNull !== notNull) continue;
        const value = row[column];
        if (!(value instanceof Ref) || this.#exists(parent.table, value, planned)) continue;
        missing ??= [];
        missing.push({
          targetTable: table,
          targetId: id,
          column,
          parentTable: parent.table,
          parent: value,
        });
      }
    }
    return missing ?? NONE;
  }

  #target(name: string): TargetTable {
    const table = this.#model.targets.get(name);
    if (table === undefined) throw new Error(`no target table ${name}`);
    return table;
  }

  #tableOf(ref: Ref): string | null {
    const maker = this.#model.mapping.entities.find(
      (entity) => entity.kind === 'derived' && entity.identity === ref.identity,
    );
    return maker?.targets[0] ?? null;
  }
}

const referenceCache = new WeakMap<
  TargetTable,
  readonly (readonly [string, { readonly table: string; readonly notNull: boolean }])[]
>();

/** The foreign key columns of a table. The id may be one: a subtype that shares its parent's. */
export function references(
  table: TargetTable,
): readonly (readonly [string, { readonly table: string; readonly notNull: boolean }])[] {
  let found = referenceCache.get(table);
  if (found === undefined) {
    found = [...table.columns.values()].flatMap((column) =>
      column.references === null
        ? []
        : [[column.name, { table: column.references, notNull: column.notNull }] as const],
    );
    referenceCache.set(table, found);
  }
  return found;
}
