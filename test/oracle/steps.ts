/** What a template says as a step of a workflow. */
type StepTemplate = {
  readonly id: number;
  readonly name: string;
  readonly action: string | null;
  readonly prompt: string | null;
  readonly function: string;
  /** Names of the roles that may edit, sorted. */
  readonly roles: readonly string[];
  /** Target ids of the products, in the order of the legacy ids. */
  readonly products: readonly string[];
};

type PredecessorLink = { readonly template: number; readonly predecessor: number };

type Step = Omit<StepTemplate, 'id'> & {
  /** Place in the list, from 1. */
  readonly order: number;
  /** Places of the direct predecessors. */
  readonly predecessors: readonly number[];
};

/**
 * For each template its ancestors and itself in the order of the predecessor graph (mapping 3.8).
 *
 * A step stands behind all its predecessors; among those that could be next the smallest legacy id
 * is. A cycle is broken at its highest id, whose predecessors are taken as done.
 */
export function stepsOfTemplates(
  templates: readonly StepTemplate[],
  links: readonly PredecessorLink[],
): Map<number, readonly Step[]> {
  const byId = new Map(templates.map((template) => [template.id, template]));
  const before = new Map<number, number[]>(templates.map(({ id }) => [id, []]));
  for (const link of links) before.get(link.template)?.push(link.predecessor);
  return new Map(templates.map(({ id }) => [id, stepsOf(id, byId, before)]));
}

function stepsOf(
  id: number,
  byId: ReadonlyMap<number, StepTemplate>,
  before: ReadonlyMap<number, readonly number[]>,
): Step[] {
  const sequence = inOrder(ancestorsAndSelf(id, before), before);
  const placeOf = new Map(sequence.map((each, i) => [each, i + 1]));
  return sequence.flatMap((each) => {
    const template = byId.get(each);
    if (template === undefined) return [];
    const { id: _, ...rest } = template;
    const places = (before.get(each) ?? []).flatMap((it) => placeOf.get(it) ?? []);
    return [{ order: placeOf.get(each) ?? 0, ...rest, predecessors: places.sort(ascending) }];
  });
}

function ancestorsAndSelf(
  id: number,
  before: ReadonlyMap<number, readonly number[]>,
): ReadonlySet<number> {
  const found = new Set([id]);
  // A set is walked in the order of insertion, what is added on the way included.
  for (const each of found) for (const it of before.get(each) ?? []) found.add(it);
  return found;
}

function inOrder(
  members: ReadonlySet<number>,
  before: ReadonlyMap<number, readonly number[]>,
): number[] {
  const waiting = new Set([...members].sort(ascending));
  const sequence: number[] = [];
  const isReady = (id: number) => !(before.get(id) ?? []).some((it) => waiting.has(it));
  while (waiting.size > 0) {
    const next = [...waiting].find(isReady) ?? highestInCycle(waiting, before);
    waiting.delete(next);
    sequence.push(next);
  }
  return sequence;
}

function highestInCycle(
  waiting: ReadonlySet<number>,
  before: ReadonlyMap<number, readonly number[]>,
): number {
  const inside = new Map(
    [...waiting].map((id) => [id, (before.get(id) ?? []).filter((it) => waiting.has(it))]),
  );
  const isInCycle = (id: number) =>
    (inside.get(id) ?? []).some((it) => ancestorsAndSelf(it, inside).has(id));
  return Math.max(...[...waiting].filter(isInCycle));
}

function ascending(a: number, b: number): number {
  return a - b;
}
