import type { ColumnSpec, Columns, ValueOf } from './legacy-table.ts';

type Value<C extends ColumnSpec> = C['nullable'] extends true
  ? ValueOf[C['kind']] | null
  : ValueOf[C['kind']];
/** A column marked `neverRead` is not in here, so `select('password')` does not compile. */
type Readable<C extends Columns> = {
  [P in keyof C]: C[P]['secret'] extends true ? never : P;
}[keyof C] &
  string;
type Row<C extends Columns, K extends keyof C> = { readonly [P in K]: Value<C[P]> };
type Name<C> = keyof C & string;

/** How a node hangs on the one above: `child.childColumn = parent.parentColumn`. */
export type Join = { readonly parentColumn: string; readonly childColumn: string };

/** A relation without its types: what the engine works with. */
export type RelationNode =
  | { readonly kind: 'one' | 'many'; readonly join: Join; readonly node: ShapeNode }
  | { readonly kind: 'exists'; readonly join: Join; readonly table: LegacyTableNode }
  | {
      readonly kind: 'previous';
      /** The column that rows of one group share. */
      readonly within: string;
      /** The order inside a group; the key decides between equals. */
      readonly by: readonly string[];
      readonly node: ShapeNode;
    }
  | {
      readonly kind: 'generic';
      readonly typeColumn: string;
      readonly idColumn: string;
      /** Django's content types: `id`, `app_label`, `model`. */
      readonly types: LegacyTableNode;
      /** By `app_label.model`. */
      readonly models: Readonly<Record<string, ShapeNode>>;
    };

export type LegacyTableNode = {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: Columns;
};
export type ShapeNode = {
  readonly table: LegacyTableNode;
  readonly columns: readonly string[];
  readonly relations: Readonly<Record<string, RelationNode>>;
};

/** A relation as `map` sees it. `R` is what stands at its name. */
export type Relation<R> = { readonly relation: RelationNode; readonly _row?: R };
type Related<T> = T extends Relation<infer R> ? R : never;
type Relations = Readonly<Record<string, Relation<unknown>>>;

/** One node of the tree: a table, the columns read of it, and the relations that hang on it. */
export type Shape<C extends Columns, R> = ShapeNode & {
  /** Adds relations; `on` knows the columns of this table. */
  with<const T extends Relations>(
    relations: (on: On<C, R>) => T,
  ): Shape<C, R & { readonly [K in keyof T]: Related<T[K]> }>;
  readonly _row?: R;
};

type AnyShape = ShapeNode & { readonly _row?: unknown };
type RowOf<S> = S extends { readonly _row?: infer R } ? Exclude<R, undefined> : never;

/** A generic reference: the row it names, by model; or no supported model at all. */
export type GenericRow<M> =
  | {
      [K in keyof M & string]: {
        readonly model: K;
        readonly id: number;
        /** Null where the row does not exist. */
        readonly row: RowOf<M[K]> | null;
      };
    }[keyof M & string]
  | {
      readonly model: null;
      /** `app_label.model` of a type that is not listed, or null where type or id is null. */
      readonly unlisted: string | null;
    };

/** Builders of relations on a table with the columns `C`. */
export type On<C extends Columns, R> = {
  /** The row that `column` names (by the other table's key, or by `childColumn`), or null. */
  one<C2 extends Columns, R2>(
    column: Name<C>,
    shape: Shape<C2, R2>,
    childColumn?: Name<C2>,
  ): Relation<R2 | null>;
  /** The rows whose `childColumn` names this one (its key, or `column`), in the order of their key. */
  many<C2 extends Columns, R2>(
    shape: Shape<C2, R2>,
    childColumn: Name<C2>,
    column?: Name<C>,
  ): Relation<readonly R2[]>;
  /** Whether any row's `childColumn` names this one. */
  exists<C2 extends Columns>(
    table: LegacyTableNode & { readonly columns: C2 },
    childColumn: Name<C2>,
    column?: Name<C>,
  ): Relation<boolean>;
  /** The row before this one among those that share `within`, in the order of `by`, then of the key. */
  previous<R2>(shape: Shape<C, R2>, within: Name<C>, by: readonly Name<C>[]): Relation<R2 | null>;
  /** Django's generic relation: a content type and an object id. Models are `app_label.model`. */
  generic<const M extends Readonly<Record<string, AnyShape>>>(
    reference: { readonly type: Name<C>; readonly id: Name<C>; readonly types: ContentTypes },
    models: M,
  ): Relation<GenericRow<M>>;
  readonly _row?: R;
};

export type LegacyTable<C extends Columns, Key extends Name<C>> = LegacyTableNode & {
  readonly columns: C;
  /** Starts a shape with these columns; the key is always there. */
  select<K extends Readable<C> = never>(...columns: K[]): Shape<C, Row<C, K | Key>>;
};
export type ContentTypes = LegacyTableNode;

function singleKey(table: LegacyTableNode): string {
  const [key, ...rest] = table.key;
  if (key === undefined || rest.length > 0) {
    throw new Error(`${table.name} has no single-column key: name the column of the relation`);
  }
  return key;
}

function makeShape<C extends Columns, R>(node: ShapeNode): Shape<C, R> {
  const on: On<C, R> = {
    one: (column, shape, childColumn) => ({
      relation: {
        kind: 'one',
        node: shape,
        join: { parentColumn: column, childColumn: childColumn ?? singleKey(shape.table) },
      },
    }),
    many: (shape, childColumn, column) => ({
      relation: {
        kind: 'many',
        node: shape,
        join: { parentColumn: column ?? singleKey(node.table), childColumn },
      },
    }),
    exists: (table, childColumn, column) => ({
      relation: {
        kind: 'exists',
        table,
        join: { parentColumn: column ?? singleKey(node.table), childColumn },
      },
    }),
    previous: (shape, within, by) => ({
      relation: { kind: 'previous', node: shape, within, by },
    }),
    generic: (reference, models) => ({
      relation: {
        kind: 'generic',
        typeColumn: reference.type,
        idColumn: reference.id,
        types: reference.types,
        models,
      },
    }),
  };
  return {
    ...node,
    with(relations) {
      const added: Record<string, RelationNode> = { ...node.relations };
      for (const [name, { relation }] of Object.entries(relations(on))) added[name] = relation;
      return makeShape({ ...node, relations: added });
    },
  };
}

/**
 * Declares a legacy table: its name (`table` or `schema.table`), its primary key, and the columns
 * that mappings may read.
 */
export function legacyTable<const C extends Columns, const Key extends Name<C>>(
  name: string,
  key: Key | readonly Key[],
  columns: C,
): LegacyTable<C, Key> {
  const keys: readonly string[] = typeof key === 'string' ? [key] : key;
  const table: LegacyTableNode = { name, key: keys, columns };
  return {
    ...table,
    columns,
    select: (...selected) =>
      makeShape({ table, columns: [...new Set([...table.key, ...selected])], relations: {} }),
  };
}
