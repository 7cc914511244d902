import type { Entity } from './entity.ts';
import type { ColumnKind } from './legacy-table.ts';
import { Ref, type Outcome } from './outcome.ts';
import type { RelationNode, ShapeNode } from './shape.ts';
import type { Lsn } from './version.ts';

/** What an entity's `map` was seen to do with made-up rows. A sample, not a proof. */
export type Learned = {
  /** By target table: the columns that were written, with the identities they referred to. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
  readonly problems: readonly ProbeProblem[];
};
export type ProbeProblem =
  | {
      readonly kind: 'not read';
      readonly table: string;
      /** What `map` asks a row for. */
      readonly name: string;
      /** Whether the table has a column of that name that could be selected. */
      readonly isColumn: boolean;
      /** What the row has, and what it could have. */
      readonly names: readonly string[];
    }
  | {
      readonly kind: 'threw';
      readonly probe: string;
      readonly message: string;
      readonly at: string | null;
    }
  | { readonly kind: 'not an outcome'; readonly probe: string }
  | { readonly kind: 'foreign table'; readonly table: string }
  | { readonly kind: 'no id'; readonly table: string }
  | { readonly kind: 'other id'; readonly table: string; readonly identity: string };

/** One way to fill a tree. */
type Probe = {
  readonly name: string;
  /** Nullable columns and relations: left empty or filled. */
  readonly isEmpty: boolean;
  readonly number: number;
  readonly flag: boolean;
  readonly text: string;
  /** Which of a generic relation's models; `rowless`: the row it names does not exist. */
  readonly generic: { readonly index: number; readonly rowless: boolean };
};

/** Codes that Django's choices commonly use lie within these; an unknown one is among the large. */
const NUMBERS = [1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 2_147_483_647];

/** Runs `map` on synthetic trees, and notes what it writes, refers to and cannot stand. */
export function probeEntity(entity: Entity): Learned {
  const columns = new Map<string, Map<string, Set<string>>>();
  const problems = new Map<string, ProbeProblem>();
  const complain = (problem: ProbeProblem) => {
    const key = problem.kind === 'threw' ? `threw ${problem.message}` : JSON.stringify(problem);
    if (!problems.has(key)) problems.set(key, problem);
  };
  for (const probe of probesFor(entity.shape)) {
    const outcome = runMap(entity, probe, complain);
    if (outcome !== null) noteRows(entity, outcome, probe, columns, complain);
  }
  return { columns, problems: [...problems.values()] };
}

function probesFor(shape: ShapeNode): readonly Probe[] {
  const filled = { isEmpty: false, flag: true, text: 'x', generic: { index: 0, rowless: false } };
  const models = Math.max(1, mostModels(shape));
  const generics = Array.from({ length: models }, (_, index) => ({ index, rowless: false }));
  return [
    { ...filled, name: 'everything null or empty', isEmpty: true, number: 1 },
    ...NUMBERS.map((number) => ({ ...filled, name: `all numbers ${number}`, number })),
    ...NUMBERS.map((number) => ({
      ...filled,
      name: `all numbers ${number}, flags false`,
      number,
      flag: false,
    })),
    { ...filled, name: 'empty texts', number: 1, text: '' },
    ...generics.map((generic) => ({
      ...filled,
      name: `generic ${generic.index + 1}`,
      number: 1,
      generic,
    })),
    { ...filled, name: 'generic without its row', number: 1, generic: { index: 0, rowless: true } },
  ];
}

function mostModels(node: ShapeNode): number {
  const counts = Object.values(node.relations).map((relation) => {
    if (relation.kind === 'exists') return 0;
    if (relation.kind !== 'generic') return mostModels(relation.node);
    const models = Object.values(relation.models);
    return Math.max(models.length, ...models.map(mostModels));
  });
  return Math.max(0, ...counts);
}

function runMap(
  entity: Entity,
  probe: Probe,
  complain: (problem: ProbeProblem) => void,
): Outcome | null {
  let asksInVain = false;
  const treeOf = (probe: Probe) =>
    makeTree(entity.shape, probe, (problem) => {
      asksInVain = true;
      complain(problem);
    });
  const root = treeOf(probe);
  try {
    const outcome: unknown =
      entity.kind === 'derived'
        ? entity.map(root as never)
        : entity.map({
            before: treeOf({ ...probe, number: probe.number === 1 ? 2 : 1 }) as never,
            after: root as never,
            version: { commitLsn: 1n as Lsn, changeLsn: 1n as Lsn },
            at: VALUES.timestamptz(probe) as string,
          });
    if (isOutcome(outcome)) return outcome;
    complain({ kind: 'not an outcome', probe: probe.name });
  } catch (error) {
    // What it was denied is the reason, and was said.
    if (asksInVain) return null;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    complain({ kind: 'threw', probe: probe.name, message, at: placeOf(error) });
  }
  return null;
}

function isOutcome(value: unknown): value is Outcome {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  return value.kind === 'rows' ? 'rows' in value && Array.isArray(value.rows) : true;
}

/** File and line of the topmost frame: where the map function threw. */
function placeOf(error: unknown): string | null {
  const frame =
    error instanceof Error
      ? error.stack?.split('\n').find((line) => /^\s+at /.test(line))
      : undefined;
  const match = /\(?((?:file:\/\/)?[^()\s]+:\d+):\d+\)?$/.exec(frame?.trim() ?? '');
  return match?.[1]?.replace('file://', '') ?? null;
}

function noteRows(
  entity: Entity,
  outcome: Outcome,
  probe: Probe,
  columns: Map<string, Map<string, Set<string>>>,
  complain: (problem: ProbeProblem) => void,
): void {
  if (outcome.kind !== 'rows') return;
  for (const { table, row } of outcome.rows) {
    const target = table ?? entity.targets[0] ?? '';
    if (!entity.targets.includes(target)) complain({ kind: 'foreign table', table: target });
    const known = columns.get(target) ?? new Map<string, Set<string>>();
    columns.set(target, known);
    for (const [column, value] of Object.entries(row)) {
      const identities = known.get(column) ?? new Set<string>();
      known.set(column, identities);
      if (value instanceof Ref) identities.add(value.identity);
    }
    const id: unknown = row.id;
    if (!(id instanceof Ref)) complain({ kind: 'no id', table: target });
    else if (!isExpectedId(entity, id, probe)) {
      complain({ kind: 'other id', table: target, identity: id.identity });
    }
  }
}

/** Without `fanOut` a root's one row has the root's own key: that is how it is found again. */
function isExpectedId(entity: Entity, id: Ref, probe: Probe): boolean {
  if (entity.kind === 'journal' || entity.fanOut) return true;
  if (id.identity !== entity.identity) return false;
  const { key, columns } = entity.shape.table;
  const [only, ...more] = key;
  const spec = only === undefined || more.length > 0 ? undefined : columns[only];
  // Text and composite keys may be written in more than one way.
  return spec === undefined || spec.kind !== 'int4' || id.key === probe.number;
}

type Complain = (problem: ProbeProblem) => void;

/** A tree as `map` receives it, which complains when it is asked for what it does not have. */
function makeTree(node: ShapeNode, probe: Probe, complain: Complain): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const column of node.columns) {
    const spec = node.table.columns[column];
    const isNull = probe.isEmpty && spec?.nullable === true;
    tree[column] = isNull || spec === undefined ? null : VALUES[spec.kind](probe);
  }
  for (const [name, relation] of Object.entries(node.relations)) {
    tree[name] = makeRelated(relation, probe, complain);
  }
  return new Proxy(tree, {
    get(row, name, receiver) {
      if (typeof name === 'string' && !(name in row) && !ASKED_BY_THE_LANGUAGE.has(name)) {
        const { name: table, columns } = node.table;
        const names = [...Object.keys(columns), ...Object.keys(node.relations)];
        const isColumn = columns[name]?.secret === false;
        complain({ kind: 'not read', table, name, isColumn, names });
      }
      return Reflect.get(row, name, receiver) as unknown;
    },
  });
}

/** `JSON.stringify` and `await` look for these. */
const ASKED_BY_THE_LANGUAGE: ReadonlySet<string> = new Set(['toJSON', 'then']);

function makeRelated(relation: RelationNode, probe: Probe, complain: Complain): unknown {
  switch (relation.kind) {
    case 'one':
    case 'previous':
      return probe.isEmpty ? null : makeTree(relation.node, probe, complain);
    case 'many':
      return probe.isEmpty ? [] : [makeTree(relation.node, probe, complain)];
    case 'exists':
      return !probe.isEmpty && probe.flag;
    case 'generic': {
      const models = Object.entries(relation.models);
      const [model, node] = models[probe.generic.index % Math.max(1, models.length)] ?? [];
      if (probe.isEmpty || model === undefined || node === undefined) {
        return { model: null, unlisted: null };
      }
      const row = probe.generic.rowless ? null : makeTree(node, probe, complain);
      return { model, id: probe.number, row };
    }
  }
}

/** Values in the forms that `ValueOf` states. */
const VALUES: Readonly<Record<ColumnKind, (probe: Probe) => unknown>> = {
  int2: ({ number }) => Math.min(number, 32_767),
  int4: ({ number }) => number,
  int8: ({ number }) => BigInt(number),
  bool: ({ flag }) => flag,
  text: ({ text }) => text,
  numeric: ({ number }) => `${number}.00`,
  date: () => '2020-02-29',
  timestamptz: () => '2020-02-29 12:00:00+00',
  timestamp: () => '2020-02-29 12:00:00',
  uuid: () => '01234567-89ab-4def-8123-456789abcdef',
  bytea: () => '\\x00',
  json: () => '{}',
};
