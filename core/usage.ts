import type { Entity, Mapping } from './entity.ts';
import type { ColumnKind } from './legacy-table.ts';
import type { LegacyTableNode, RelationNode, ShapeNode } from './shape.ts';

/** What the mirror must hold of a legacy table: the union of all shapes. */
export type WantedTable = {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: ReadonlySet<string>;
  /** What each column is declared as. */
  readonly kinds: ReadonlyMap<string, ColumnKind>;
  /** The table declares columns that must not leave the source. */
  readonly hasSecrets: boolean;
  /** Column lists that relations look rows up by, forwards or backwards, besides the key. */
  readonly lookups: readonly (readonly string[])[];
  /** The entities whose roots are its rows. */
  readonly rootOf: readonly string[];
};

/** One step from a node of the tree to the node above it, from the child's values to its parents. */
export type ClimbStep =
  | {
      readonly kind: 'join';
      readonly childColumn: string;
      readonly parentTable: string;
      readonly parentColumn: string;
    }
  | {
      readonly kind: 'generic';
      readonly childColumn: string;
      readonly parentTable: string;
      readonly typeColumn: string;
      readonly idColumn: string;
      readonly typesTable: string;
      readonly model: string;
    };

/** A place where an entity reads a table, and the way from there back to the entity's roots. */
export type Usage = {
  readonly entity: string;
  readonly table: string;
  /** A change of none of these leaves the entity as it is. */
  readonly columns: readonly string[];
  /** The column whose old and new values start the climb; null at the root: the key itself. */
  readonly via: string | null;
  /** From this node up to the root; empty at the root. */
  readonly climb: readonly ClimbStep[];
};

type MutableWanted = {
  key: readonly string[];
  columns: Set<string>;
  kinds: Map<string, ColumnKind>;
  hasSecrets: boolean;
  lookups: Map<string, readonly string[]>;
  rootOf: string[];
};

/** Reads every shape of the mapping: which columns the mirror needs, and what depends on them. */
export function readUsages(mapping: Mapping): {
  tables: ReadonlyMap<string, WantedTable>;
  usages: readonly Usage[];
} {
  const tables = new Map<string, MutableWanted>();
  const usages: Usage[] = [];
  for (const entity of mapping.entities) visitEntity(entity, tables, usages);
  const wanted = [...tables].map(([name, wanted]): [string, WantedTable] => [
    name,
    { ...wanted, name, lookups: [...wanted.lookups.values()] },
  ]);
  return { tables: new Map(wanted), usages };
}

function visitEntity(entity: Entity, tables: Map<string, MutableWanted>, usages: Usage[]): void {
  const want = (table: LegacyTableNode, columns: readonly string[]) => {
    let known = tables.get(table.name);
    if (known === undefined) {
      const hasSecrets = Object.values(table.columns).some((column) => column.secret);
      const columns = new Set(table.key);
      const none = { kinds: new Map<string, ColumnKind>(), lookups: new Map(), rootOf: [] };
      known = { key: table.key, columns, hasSecrets, ...none };
      tables.set(table.name, known);
    }
    for (const column of [...table.key, ...columns]) {
      known.columns.add(column);
      known.kinds.set(column, table.columns[column]?.kind ?? 'text');
    }
  };
  const lookUp = (table: LegacyTableNode, columns: readonly string[]) => {
    want(table, columns);
    if (columns.join() === table.key.join()) return;
    tables.get(table.name)?.lookups.set(columns.join(), columns);
  };
  const use = (table: string, columns: Iterable<string>, climb: readonly ClimbStep[]) => {
    if (entity.kind === 'journal') return;
    usages.push({
      entity: entity.name,
      table,
      columns: [...new Set(columns)],
      via: climb[0]?.childColumn ?? null,
      climb,
    });
  };

  const visit = (node: ShapeNode, climb: readonly ClimbStep[]): void => {
    want(node.table, node.columns);
    const relations = Object.values(node.relations);
    const own = [...node.columns, ...relations.flatMap(parentColumnsOf)];
    const first = climb[0];
    use(node.table.name, first === undefined ? own : [...own, first.childColumn], climb);
    for (const relation of relations) visitRelation(node, relation, climb);
  };

  const visitRelation = (
    above: ShapeNode,
    relation: RelationNode,
    climb: readonly ClimbStep[],
  ): void => {
    const parentTable = above.table.name;
    switch (relation.kind) {
      case 'one':
      case 'many': {
        const { parentColumn, childColumn } = relation.join;
        lookUp(above.table, [parentColumn]);
        lookUp(relation.node.table, [childColumn]);
        visit(relation.node, [{ kind: 'join', childColumn, parentTable, parentColumn }, ...climb]);
        return;
      }
      case 'exists': {
        const { parentColumn, childColumn } = relation.join;
        lookUp(above.table, [parentColumn]);
        lookUp(relation.table, [childColumn]);
        use(
          relation.table.name,
          [childColumn],
          [{ kind: 'join', childColumn, parentTable, parentColumn }, ...climb],
        );
        return;
      }
      case 'previous': {
        const { within, by, node } = relation;
        lookUp(node.table, [within, ...by]);
        // Whoever shares the group may have this row before it.
        const step: ClimbStep = {
          kind: 'join',
          childColumn: within,
          parentTable,
          parentColumn: within,
        };
        use(node.table.name, [...by, within], [step, ...climb]);
        visit(node, [step, ...climb]);
        return;
      }
      case 'generic': {
        const { typeColumn, idColumn, types } = relation;
        lookUp(above.table, [typeColumn, idColumn]);
        want(types, ['id', 'app_label', 'model']);
        use(
          types.name,
          ['id', 'app_label', 'model'],
          [{ kind: 'join', childColumn: 'id', parentTable, parentColumn: typeColumn }, ...climb],
        );
        for (const [model, node] of Object.entries(relation.models)) {
          const childColumn = node.table.key[0] ?? 'id';
          visit(node, [
            {
              kind: 'generic',
              childColumn,
              parentTable,
              typeColumn,
              idColumn,
              typesTable: types.name,
              model,
            },
            ...climb,
          ]);
        }
        return;
      }
    }
  };

  visit(entity.shape, []);
  if (entity.kind === 'derived') tables.get(entity.shape.table.name)?.rootOf.push(entity.name);
}

function parentColumnsOf(relation: RelationNode): readonly string[] {
  switch (relation.kind) {
    case 'one':
    case 'many':
    case 'exists':
      return [relation.join.parentColumn];
    case 'previous':
      return [relation.within, ...relation.by];
    case 'generic':
      return [relation.typeColumn, relation.idColumn];
  }
}

/**
 * These are published with a column list, so that a secret does not even leave the source; on the
 * others a list would only stand in the way of the legacy system's own schema changes.
 */
export function tablesWithSecrets(tables: ReadonlyMap<string, WantedTable>): ReadonlySet<string> {
  return new Set([...tables.values()].filter((t) => t.hasSecrets).map((table) => table.name));
}
