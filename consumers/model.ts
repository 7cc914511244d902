import { TandemError } from '../core/errors.ts';
import type { DerivedEntity, Entity, JournalEntity, Mapping } from '../core/entity.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { readUsages, type Usage, type WantedTable } from '../core/usage.ts';

/** A column of a target table. `references` names the table whose `id` a foreign key points at. */
export type TargetColumn = {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  readonly notNull: boolean;
  /** The server fills it where a row says nothing. */
  readonly hasDefault: boolean;
  readonly references: string | null;
};
export type TargetTable = {
  readonly name: string;
  readonly columns: ReadonlyMap<string, TargetColumn>;
};

/** All that applying needs to know, put together once at start. */
export type Model = {
  readonly mapping: Mapping;
  readonly wanted: ReadonlyMap<string, WantedTable>;
  readonly mirror: ReadonlyMap<string, MirrorTable>;
  readonly targets: ReadonlyMap<string, TargetTable>;
  /** Derived entities, parents first. */
  readonly entities: readonly DerivedEntity[];
  readonly entity: ReadonlyMap<string, DerivedEntity>;
  readonly journals: readonly JournalEntity[];
  readonly usages: readonly Usage[];
  readonly usagesOf: ReadonlyMap<string, readonly Usage[]>;
  /** Journals by the table that they watch. */
  readonly journalsOf: ReadonlyMap<string, readonly JournalEntity[]>;
  /** Entities whose rows an entity's foreign keys may point at, itself included. */
  readonly refersTo: ReadonlyMap<string, ReadonlySet<string>>;
  /** Which entity makes the rows of (target table, identity). */
  readonly maker: ReadonlyMap<string, DerivedEntity>;
};

export const makerKey = (table: string, identity: string): string => `${table} ${identity}`;

/**
 * Puts mapping, mirror and target catalogue together. Throws `TABLE_MISSING`, `MAPPING_INVALID`.
 *
 * @param blocked entities that read a table which is not there for now: they are not derived, and
 *   not a part of the model but as the makers of rows that others refer to
 */
export function buildModel(
  mapping: Mapping,
  mirror: readonly MirrorTable[],
  targets: ReadonlyMap<string, TargetTable>,
  blocked: ReadonlySet<string> = new Set(),
): Model {
  const isHere = (entity: Entity) => !blocked.has(entity.name);
  const { tables } = readUsages(mapping);
  const { usages } = readUsages({ ...mapping, entities: mapping.entities.filter(isHere) });
  for (const entity of mapping.entities.filter(isHere)) {
    for (const table of entity.targets) {
      if (!targets.has(table)) {
        throw new TandemError('TABLE_MISSING', { side: 'target', table, entity: entity.name });
      }
    }
  }
  const derived = mapping.entities.filter((entity) => entity.kind === 'derived');
  const journals = mapping.entities.filter((entity) => entity.kind === 'journal');
  const refersTo = new Map(
    mapping.entities.map((entity) => [entity.name, parentsOf(entity, derived, targets, false)]),
  );
  const maker = new Map(
    derived.flatMap((entity) =>
      entity.targets.map((table) => [makerKey(table, entity.identity), entity]),
    ),
  );
  return {
    mapping,
    wanted: tables,
    mirror: new Map(mirror.map((table) => [table.name, table])),
    targets,
    entities: parentsFirst(derived, targets).filter(isHere),
    entity: new Map(derived.filter(isHere).map((entity) => [entity.name, entity])),
    journals: journals.filter(isHere),
    usages,
    usagesOf: groupBy(usages, (usage) => usage.table),
    journalsOf: groupBy(journals.filter(isHere), (entity) => entity.shape.table.name),
    refersTo,
    maker,
  };
}

function parentsOf(
  entity: Entity,
  derived: readonly DerivedEntity[],
  targets: ReadonlyMap<string, TargetTable>,
  notNullOnly: boolean,
): ReadonlySet<string> {
  const parents = new Set<string>();
  for (const table of entity.targets) {
    for (const column of targets.get(table)?.columns.values() ?? []) {
      if (column.references === null || (notNullOnly && !column.notNull)) continue;
      for (const other of derived) {
        if (other.targets.includes(column.references)) parents.add(other.name);
      }
    }
  }
  return parents;
}

/** Not-null parents strictly first; among the rest, whoever has fewest open nullable parents. */
function parentsFirst(
  entities: readonly DerivedEntity[],
  targets: ReadonlyMap<string, TargetTable>,
): readonly DerivedEntity[] {
  const hard = new Map(entities.map((e) => [e.name, parentsOf(e, entities, targets, true)]));
  const soft = new Map(entities.map((e) => [e.name, parentsOf(e, entities, targets, false)]));
  const open = new Map(entities.map((entity) => [entity.name, entity]));
  const count = (parents: ReadonlySet<string> | undefined, self: string) =>
    [...(parents ?? [])].filter((name) => name !== self && open.has(name)).length;
  const ordered: DerivedEntity[] = [];
  while (open.size > 0) {
    const [next] = [...open.values()].sort(
      (a, b) =>
        count(hard.get(a.name), a.name) - count(hard.get(b.name), b.name) ||
        count(soft.get(a.name), a.name) - count(soft.get(b.name), b.name) ||
        (a.name < b.name ? -1 : 1),
    );
    if (next === undefined) break;
    if (count(hard.get(next.name), next.name) > 0) {
      const entities = [...open.keys()].sort().join(', ');
      throw new TandemError('MAPPING_INVALID', {
        reason: 'not-null references form a cycle',
        entities,
      });
    }
    ordered.push(next);
    open.delete(next.name);
  }
  return ordered;
}

export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
