import type { Entity } from '../../core/entity.ts';
import { type Outcome, Ref, type TargetValue } from '../../core/outcome.ts';
import { Choices, leavesOf, makeTree, type Leaf, type Tree } from './synthetic-trees.ts';

/** It ends when this many runs in a row have shown nothing new. */
const STALE_RUNS = 70_000;

/** By target column, what was seen to change it; the key `null` is whether there is a row. */
type Dependencies = ReadonlyMap<string | null, ReadonlySet<string>>;

/**
 * Which legacy columns a target column depends on, found by trying: `map` is run on made-up trees,
 * one place is changed at a time, and what changes in the row depends on it.
 *
 * @param texts words that decide something somewhere, to be tried in text columns
 */
export function dependenciesOf(entity: Entity, texts: readonly string[]): Dependencies {
  const choices = new Choices(20_260_101, texts);
  const found = new Map<string | null, Set<string>>();
  for (let round = 0, stale = 0; stale < STALE_RUNS; round += 1) {
    const known = countOf(found);
    // Every other tree is bare: much shows only where nothing else decides.
    choices.isBare = round % 2 === 1;
    const { leaves, run } = baselineOf(entity, choices);
    let cells = cellsOf(run());
    for (const leaf of leaves) {
      stale += leaf.others.length;
      const changed = tryLeaf(leaf, cells, { run, found });
      // Going on from what made a difference leads to what only shows behind it; but it also hides
      // what only shows where nothing is set, so half of the trees stay as they were made.
      if (round % 4 < 2 || changed.length === 0 || choices.below(2) === 0) continue;
      leaf.holder[leaf.key] = choices.of(changed);
      cells = cellsOf(run());
    }
    if (countOf(found) > known) stale = 0;
  }
  return found;
}

const countOf = (found: Dependencies): number =>
  [...found.values()].reduce((sum, paths) => sum + paths.size, 0);

type Trial = {
  readonly run: () => Outcome;
  readonly found: Map<string | null, Set<string>>;
};

/** Puts every other value at a leaf's place, and the first one back. Returns those that changed it. */
function tryLeaf(leaf: Leaf, before: Cells, { run, found }: Trial): readonly unknown[] {
  const { holder, key, path } = leaf;
  const original = holder[key];
  const changing: unknown[] = [];
  for (const other of leaf.others) {
    holder[key] = other;
    const after = cellsOf(run());
    const columns = before.get(null) === after.get(null) ? [...before.keys()] : [null];
    const changed = columns.filter((column) => before.get(column) !== after.get(column));
    for (const column of changed) {
      const paths = found.get(column);
      if (paths === undefined) found.set(column, new Set([shortened(path)]));
      else paths.add(shortened(path));
    }
    if (changed.length > 0) changing.push(other);
  }
  holder[key] = original;
  return changing;
}

/** `a.b.a.b.c` as `a.b.c`: a relation that repeats itself down the tree. */
const shortened = (path: string): string => path.replace(/((?:\w+\.)+?)\1+/g, '$1');

function baselineOf(entity: Entity, choices: Choices): { leaves: Leaf[]; run: () => Outcome } {
  if (entity.kind === 'derived') {
    const tree = makeTree(entity.shape, choices, 1 + choices.below(3));
    return {
      leaves: leavesOf(entity.shape, tree, choices),
      run: () => entity.map(tree as never),
    };
  }
  const key = 1 + choices.below(20);
  const [before, after] = [
    makeTree(entity.shape, choices, key),
    makeTree(entity.shape, choices, key),
  ];
  const version: Tree = { commitLsn: 16n, changeLsn: 8n };
  const times = [null, '2024-02-28 10:00:00+00', '2024-03-01 10:00:00.5+00'];
  const change: Tree = {
    before,
    after,
    version,
    at: choices.of(times.slice(1)),
    previousAt: choices.of(times),
  };
  const place = (path: string, holder: Tree, others: readonly unknown[]): Leaf => {
    return { path, holder, key: path.split('.').at(-1) ?? path, others };
  };
  return {
    leaves: [
      ...leavesOf(entity.shape, before, choices, 'before.'),
      ...leavesOf(entity.shape, after, choices, 'after.'),
      place('version.commitLsn', version, [16n, 17n]),
      place('version.changeLsn', version, [8n, 9n]),
      place('at', change, times.slice(1)),
      place('previousAt', change, times),
    ],
    run: () => entity.map(change as never),
  };
}

type Cells = ReadonlyMap<string | null, string>;

/** The cells of the only row as text; without a row, why there is none under the key `null`. */
function cellsOf(outcome: Outcome): Cells {
  const [first, ...more] = outcome.kind === 'rows' ? outcome.rows : [];
  if (first === undefined || more.length > 0) return new Map([[null, outcome.kind]]);
  const cells = Object.entries(first.row).map(([column, value]): [string | null, string] => [
    column,
    cellOf(value),
  ]);
  return new Map([[null, 'row'], ...cells]);
}

const cellOf = (value: TargetValue): string =>
  value instanceof Ref
    ? value.uuid
    : typeof value === 'object'
      ? JSON.stringify(value)
      : `${value}`;
