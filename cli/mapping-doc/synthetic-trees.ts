import type { ColumnKind } from '../../core/legacy-table.ts';
import type { RelationNode, ShapeNode } from '../../core/shape.ts';

/** A source of choices that is the same on every run. */
export class Choices {
  /** Whether trees have few related rows, or many. */
  isBare = false;
  #state: number;
  readonly #texts: readonly string[];

  /** @param texts what text columns may hold, beside what every one may */
  constructor(seed: number, texts: readonly string[]) {
    this.#state = seed;
    this.#texts = texts;
  }

  /** Below `limit`. Mulberry32: enough for choices, and the same everywhere. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** The values that a column of this kind is tried with. */
  candidates(kind: ColumnKind): readonly unknown[] {
    if (kind === 'text') return [...TEXTS, ...this.#texts];
    return VALUES[kind];
  }
}

export type Tree = Record<string, unknown>;
/** A place in a tree, and what else may stand there. */
export type Leaf = {
  /** Names from the root down, without places in lists. */
  readonly path: string;
  readonly holder: Tree;
  readonly key: string;
  readonly others: readonly unknown[];
};

const TIMES = ['2025-03-01 12:00:00+00', '2019-11-30 23:59:59.5+00', 'infinity'];
const VALUES: Readonly<Record<Exclude<ColumnKind, 'text'>, readonly unknown[]>> = {
  int2: [0, 1, 2, 3],
  int4: [0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 99],
  int8: [-5n, 0n, 7n, 5_000_000_000n],
  bool: [true, false],
  numeric: ['0', '12.50', '-3', '100'],
  date: ['1990-05-17', '2001-01-01'],
  timestamptz: TIMES,
  timestamp: TIMES,
  uuid: ['9d2c8e9e-58a6-4b8f-8f5e-0a1b2c3d4e5f', '1b4e28ba-2fa1-11d2-883f-0016d3cca427'],
  bytea: ['\\x00', '\\xff'],
  json: ['{}', '[1]'],
};
const TEXTS = [
  ...['', 'a', 'b', '{"a": 1}', '{broken', 'x@example.com'],
  ...['Japan', '03-1234-5678', '+1 212 555 2368'],
];

const valueOf = (shape: ShapeNode, column: string, choices: Choices): unknown => {
  const spec = shape.table.columns[column];
  if (spec === undefined) return null;
  if (spec.nullable && choices.below(choices.isBare ? 2 : 4) === 0) return null;
  const isPlain = spec.kind === 'text' && choices.below(2) === 0;
  return choices.of(isPlain ? TEXTS : choices.candidates(spec.kind));
};

/** A row of `shape` with its relations. Keys rise with `key`, as the engine orders rows. */
export function makeTree(shape: ShapeNode, choices: Choices, key: number, depth = 0): Tree {
  const tree: Tree = {};
  for (const column of shape.columns) {
    tree[column] = shape.table.key.includes(column) ? key : valueOf(shape, column, choices);
  }
  for (const [name, relation] of Object.entries(shape.relations)) {
    const related = makeRelated(relation, choices, key, depth);
    tree[name] = related;
    if (relation.kind !== 'one' || related === null) continue;
    const { parentColumn, childColumn } = relation.join;
    const joined = (related as Tree)[childColumn];
    if (shape.columns.includes(parentColumn) && joined !== undefined) tree[parentColumn] = joined;
  }
  return tree;
}

function makeRelated(relation: RelationNode, choices: Choices, key: number, depth = 0): unknown {
  const one = (node: ShapeNode, place: number) =>
    makeTree(node, choices, key * 3 + place, depth + 1);
  switch (relation.kind) {
    case 'one':
    case 'previous':
      return choices.below(choices.isBare ? 2 : 5) === 0 ? null : one(relation.node, 1);
    case 'many': {
      const counts = depth > 4 ? [0] : choices.isBare ? [0, 1] : [0, 1, 2, 2, 2];
      const length = choices.of(counts);
      return Array.from({ length }, (_, i) => one(relation.node, i + 1));
    }
    case 'exists':
      return !choices.isBare && choices.below(4) === 0;
    case 'generic': {
      const models = Object.entries(relation.models);
      // Rows with relations of their own have more to show.
      const rich = models.filter(([, node]) => Object.keys(node.relations).length > 0);
      const [model, node] = choices.of(choices.below(2) === 0 ? rich : models) ?? [];
      const chance = choices.below(12);
      if (chance < 2 || node === undefined) {
        return { model: null, unlisted: chance === 0 ? null : 'some.model' };
      }
      const row = chance === 2 ? null : one(node, 1);
      return { model, id: row?.['id'] ?? 7, row };
    }
  }
}

/** Every place of `tree`: its columns, whether related rows are there, and theirs in turn. */
export function leavesOf(shape: ShapeNode, tree: Tree, choices: Choices, above = ''): Leaf[] {
  const columns = shape.columns.map((column): Leaf => {
    const spec = shape.table.columns[column];
    const isKey = shape.table.key.includes(column);
    const tried = isKey ? [900, 901] : choices.candidates(spec?.kind ?? 'text');
    const others = spec?.nullable === true ? [null, ...tried] : tried;
    return { path: `${above}${column}`, holder: tree, key: column, others };
  });
  const related = Object.entries(shape.relations).flatMap(([name, relation]) =>
    relatedLeaves(relation, { tree, name, path: `${above}${name}` }, choices),
  );
  return [...columns, ...related];
}

type Place = { readonly tree: Tree; readonly name: string; readonly path: string };

function relatedLeaves(relation: RelationNode, place: Place, choices: Choices): Leaf[] {
  const { tree, name, path } = place;
  const value = tree[name];
  const here = (path: string, others: readonly unknown[]): Leaf[] => [
    { path, holder: tree, key: name, others },
  ];
  const below = (node: ShapeNode, rows: readonly Tree[]) =>
    rows.flatMap((row) => leavesOf(node, row, choices, `${path}.`));
  switch (relation.kind) {
    case 'exists':
      return here(`${path}?`, [true, false]);
    case 'one':
    case 'previous': {
      const row = value as Tree | null;
      const other = row === null ? makeRelated(relation, choices, 50) : null;
      return [...here(`${path}?`, [other]), ...below(relation.node, row === null ? [] : [row])];
    }
    case 'many': {
      const rows = value as readonly Tree[];
      const more = [...rows, makeTree(relation.node, choices, 800)];
      return [...here(`${path}?`, [[], more]), ...below(relation.node, rows)];
    }
    case 'generic': {
      const about = value as { model: string | null; row?: Tree | null };
      const node = about.model === null ? undefined : relation.models[about.model];
      const others = [60, 61, 62, 63].map((key) => makeRelated(relation, choices, key));
      const rows = about.row ? [about.row] : [];
      return [...here(`${path}?`, others), ...(node === undefined ? [] : below(node, rows))];
    }
  }
}
