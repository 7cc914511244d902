import type { Random } from '../random.ts';

/** Ascending ids from `first`, where each step skips up to `maxGap` numbers with `gapShare`. */
export function gappedIds(
  random: Random,
  options: { first: number; count: number; gapShare: number; maxGap: number },
): Int32Array {
  const ids = new Int32Array(options.count);
  let id = options.first;
  for (let i = 0; i < options.count; i += 1) {
    ids[i] = id;
    id += 1 + (random.chance(options.gapShare) ? random.int(1, options.maxGap) : 0);
  }
  return ids;
}

/** The element at `index`, which must exist. */
export function at<T>(items: ArrayLike<T>, index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no element ${index} of ${items.length}`);
  return item;
}

export function pickFrom<T>(random: Random, items: ArrayLike<T>): T {
  return at(items, random.int(0, items.length - 1));
}
