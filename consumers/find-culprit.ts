import type { TandemError } from '../core/errors.ts';
import type { Roots } from './affected.ts';
import type { Refused } from './derive.ts';

type Culprit = {
  readonly entity: string;
  readonly key: string;
  readonly error: TandemError;
};

/**
 * The root with which the roots from it on fail, and without which those behind it pass.
 *
 * @param trial `roots` parents first, so that leaving out the first ones leaves none without what it
 *   needs: the children of a parent that is left out wait for it; `failure`: what all of them together
 *   come to
 * @param tryOut derives some of them, and takes it back; null: they pass
 * @returns null where there is none left
 */
export async function findCulprit(
  trial: {
    readonly roots: ReadonlyMap<string, Roots>;
    readonly refused: Refused;
    readonly failure: TandemError;
  },
  tryOut: (roots: ReadonlyMap<string, Roots>) => Promise<TandemError | null>,
): Promise<Culprit | null> {
  const { roots, refused, failure } = trial;
  const all = [...roots].flatMap(([entity, some]) =>
    [...some.keys()]
      .filter((key) => refused.get(entity)?.has(key) !== true)
      .map((key) => [entity, key] as const),
  );
  const from = (start: number) => {
    const some = new Map<string, Roots>();
    for (const [entity, key] of all.slice(start)) {
      const known = some.get(entity) ?? new Map<string, undefined>();
      some.set(entity, known.set(key, undefined));
    }
    return some;
  };
  let error = failure;
  // From `fails` on they fail; from `passes` on they pass.
  let fails = 0;
  let passes = all.length;
  while (passes - fails > 1) {
    const middle = (fails + passes) >> 1;
    const found = await tryOut(from(middle));
    if (found === null) passes = middle;
    else {
      fails = middle;
      error = found;
    }
  }
  const [entity, key] = all[fails] ?? [];
  return entity === undefined || key === undefined ? null : { entity, key, error };
}
