import type pg from 'pg';
import type { DerivedEntity } from '../core/entity.ts';
import { Ref } from '../core/outcome.ts';
import { existingIds, type Existence } from './existence.ts';
import type { Mapped, PlannedRow } from './map-roots.ts';
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

type Checked = { readonly table: string; readonly ref: Ref };

/**
 * Decides for every reference whether its parent has a target row: one that is there already, or
 * one that this batch writes. A root that lacks a not-null parent is held, and then its own rows
 * are not written, which may hold others: repeated until nothing changes.
 */
export class Resolver {
  readonly #model: Model;
  readonly #existence: Existence;
  /** References found in the target by this transaction; learnt once it has committed. */
  readonly seen: Checked[] = [];
  readonly #here = new Set<string>();

  constructor(model: Model, existence: Existence) {
    this.#model = model;
    this.#existence = existence;
  }

  async resolve(client: pg.ClientBase, work: Work): Promise<ResolvedWork> {
    const planned = new Set<string>();
    for (const mapped of work.values()) {
      for (const { outcome } of mapped) {
        if (outcome.kind === 'rows')
          for (const row of outcome.rows) planned.add(at(row.table, row.id));
      }
    }
    await this.#lookUp(client, work, planned);
    const held = new Map<Mapped, readonly MissingParent[]>();
    for (let changed = true; changed;) {
      changed = false;
      const dropped: PlannedRow[] = [];
      for (const mapped of work.values()) {
        for (const root of mapped) {
          if (held.has(root)) continue;
          const missing = this.#holding(root, planned);
          if (missing.length === 0) continue;
          held.set(root, missing);
          changed = true;
          if (root.outcome.kind === 'rows') dropped.push(...root.outcome.rows);
        }
      }
      for (const row of dropped) planned.delete(at(row.table, row.id));
      // A held row may be in the target from before: then its children keep pointing at it.
      if (dropped.length > 0) await this.#lookUp(client, work, planned);
    }
    const resolved: ResolvedWork = new Map();
    for (const [entity, mapped] of work) {
      resolved.set(
        entity,
        mapped.map((root) => ({
          key: root.key,
          mapped: root.outcome,
          heldBy: held.get(root) ?? [],
          unresolved: held.has(root) ? [] : this.#missing(root, planned, false),
        })),
      );
    }
    return resolved;
  }

  /** Learns what a committed transaction found or wrote. */
  committed(): void {
    for (const { table, ref } of this.seen) this.#existence.learn(table, ref);
  }

  wrote(table: string, ref: Ref): void {
    this.seen.push({ table, ref });
    this.#here.add(at(table, ref.uuid));
  }

  #exists(table: string, ref: Ref, planned: ReadonlySet<string>): boolean {
    if (this.#existence.knows(table, ref)) return true;
    const place = at(table, ref.uuid);
    return planned.has(place) || this.#here.has(place);
  }

  async #lookUp(client: pg.ClientBase, work: Work, planned: ReadonlySet<string>): Promise<void> {
    const wanted = new Map<string, Map<string, Ref>>();
    for (const mapped of work.values()) {
      for (const root of mapped) {
        for (const { table, ref } of this.#references(root)) {
          if (this.#exists(table, ref, planned)) continue;
          let ids = wanted.get(table);
          if (ids === undefined) wanted.set(table, (ids = new Map<string, Ref>()));
          ids.set(ref.uuid, ref);
        }
      }
    }
    for (const [table, refs] of wanted) {
      for (const id of await existingIds(client, table, [...refs.keys()])) {
        const ref = refs.get(id);
        if (ref !== undefined) this.wrote(table, ref);
      }
    }
  }

  #references(root: Mapped): Checked[] {
    const { outcome } = root;
    if (outcome.kind === 'held') {
      const table = this.#tableOf(outcome.parent);
      return table === null ? [] : [{ table, ref: outcome.parent }];
    }
    if (outcome.kind !== 'rows') return [];
    const found: Checked[] = [];
    for (const { table, row } of outcome.rows) {
      for (const [column, parent] of references(this.#target(table))) {
        const value = row[column];
        if (value instanceof Ref) found.push({ table: parent.table, ref: value });
      }
    }
    return found;
  }

  #holding(root: Mapped, planned: ReadonlySet<string>): readonly MissingParent[] {
    if (root.outcome.kind === 'held') {
      const { column, parent } = root.outcome;
      const parentTable = this.#tableOf(parent) ?? '';
      return [{ targetTable: '', targetId: parent.uuid, column, parentTable, parent }];
    }
    return this.#missing(root, planned, true);
  }

  #missing(root: Mapped, planned: ReadonlySet<string>, notNull: boolean): MissingParent[] {
    if (root.outcome.kind !== 'rows') return [];
    const missing: MissingParent[] = [];
    for (const { table, row, id } of root.outcome.rows) {
      for (const [column, parent] of references(this.#target(table))) {
        if (parent.notNull !== notNull) continue;
        const value = row[column];
        if (!(value instanceof Ref) || this.#exists(parent.table, value, planned)) continue;
        missing.push({
          targetTable: table,
          targetId: id,
          column,
          parentTable: parent.table,
          parent: value,
        });
      }
    }
    return missing;
  }

  #target(name: string): TargetTable {
    const table = this.#model.targets.get(name);
    if (table === undefined) throw new Error(`no target table ${name}`);
    return table;
  }

  #tableOf(ref: Ref): string | null {
    const maker = this.#model.entities.find((entity) => entity.identity === ref.identity);
    return maker?.targets[0] ?? null;
  }
}

const at = (table: string, id: string) => `${table} ${id}`;

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
