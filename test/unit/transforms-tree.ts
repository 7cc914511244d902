import type { DerivedEntity } from '../../core/entity.ts';
import { type Issue, Ref, type TargetValue } from '../../core/outcome.ts';
import type { RelationNode, ShapeNode } from '../../core/shape.ts';

export type Given = Readonly<Record<string, unknown>>;

/** A tree of `shape` with what is given; every other column null, no other row related. */
export function treeOf(shape: ShapeNode, given: Given): Given {
  const known = [...shape.columns, ...Object.keys(shape.relations)];
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw new Error(`${shape.table.name} is not read for ${name}`);
  }
  const tree: Record<string, unknown> = {};
  for (const column of shape.columns) tree[column] = given[column] ?? null;
  for (const [name, relation] of Object.entries(shape.relations)) {
    tree[name] = relatedOf(relation, given[name]);
  }
  return tree;
}

function relatedOf(relation: RelationNode, given: unknown): unknown {
  switch (relation.kind) {
    case 'one':
    case 'previous':
      return given ? treeOf(relation.node, given as Given) : null;
    case 'many':
      return ((given ?? []) as Given[]).map((row) => treeOf(relation.node, row));
    case 'exists':
      return given ?? false;
    case 'generic': {
      const about = (given ?? { model: null, unlisted: null }) as {
        model: string | null;
        row?: Given;
      };
      const node = about.model === null ? undefined : relation.models[about.model];
      return node && about.row ? { ...about, row: treeOf(node, about.row) } : about;
    }
  }
}

/** A text cell of a row. */
export function textOf(value: TargetValue | undefined): string {
  if (typeof value !== 'string') throw new Error('no text');
  return value;
}

type Made = {
  /** References as `entity:key`. */
  readonly row: Readonly<Record<string, TargetValue>>;
  readonly issues: readonly Issue[];
};

/** The row that an entity makes of a tree. */
export function make(entity: DerivedEntity, given: Given): Made {
  const outcome = entity.map(treeOf(entity.shape, given) as never);
  if (outcome.kind !== 'rows') throw new Error(`no row but ${JSON.stringify(outcome)}`);
  const [made] = outcome.rows;
  const cells = Object.entries(made?.row ?? {}).map(([column, value]) => [column, plain(value)]);
  return { row: Object.fromEntries(cells) as Made['row'], issues: outcome.issues };
}

export const plain = (value: TargetValue): TargetValue =>
  value instanceof Ref ? `${value.identity}:${String(value.key)}` : value;
