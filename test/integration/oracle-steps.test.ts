import { expect, test } from 'vitest';
import { stepsOfTemplates } from '../oracle/steps.ts';

const template = (id: number) => ({
  ...{ id, name: `T${id}`, action: null, prompt: null, function: 'submit' },
  ...{ roles: [], products: [] },
});

/** The steps of one template as `name<places of its predecessors`. */
function stepsOf(id: number, links: readonly [number, number][]): string[] {
  const ids = [...new Set([id, ...links.flat()])];
  const steps = stepsOfTemplates(
    ids.map(template),
    links.map(([of, predecessor]) => ({ template: of, predecessor })),
  );
  return (steps.get(id) ?? []).map((it) => `${it.name}<${it.predecessors.join(',')}`);
}

test('a template without predecessors is its own only step', () => {
  expect(stepsOf(5, [[6, 5]])).toEqual(['T5<']);
});

test('a step stands behind its predecessors, and the smallest id comes first', () => {
  const links: [number, number][] = [
    [1, 9],
    [1, 3],
    [3, 7],
    [9, 7],
    [9, 8],
  ];
  expect(stepsOf(1, links)).toEqual(['T7<', 'T3<1', 'T8<', 'T9<1,3', 'T1<2,4']);
});

test('a cycle is broken at its highest id', () => {
  const links: [number, number][] = [
    [1, 2],
    [2, 3],
    [3, 1],
    [8, 1],
  ];
  expect(stepsOf(8, links)).toEqual(['T3<3', 'T2<1', 'T1<2', 'T8<3']);
});
