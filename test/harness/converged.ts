import fc from 'fast-check';
import { expect } from 'vitest';
import type { Bench } from './apply-bench.ts';
import {
  expectedFrom,
  foundIn,
  mirrorOf,
  plainState,
  type LegacyState,
  type TargetTableName,
} from './small-expected.ts';
import { step, type History } from './small-history.ts';

export const history = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' });
/** Lengths of batches, used in turn. */
export const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });

export function cut<T>(items: readonly T[], lengths: readonly number[]): T[][] {
  const pieces: T[][] = [];
  for (let start = 0, i = 0; start < items.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    pieces.push(items.slice(start, start + length));
    start += length;
  }
  return pieces;
}

/** Mirror = source, and target = map(mirror) with every list exactly as it has to be. */
export async function expectConverged(bench: Bench, { final, everSeen }: History): Promise<void> {
  const mirror = await mirrorOf(bench);
  expect(plainState(mirror.state)).toEqual(plainState(final));
  expect(mirror.leaks).toEqual([]);
  const gone = [...everSeen].filter((it) => {
    const [table = '', ...key] = it.split(' ');
    return final.get(table)?.has(key.join(' ')) !== true;
  });
  expect(mirror.tombstones.sort()).toEqual(gone.sort());
  await expectTarget(bench, final);
  expect(await bench.query('select entity, reason from tandem.job')).toEqual([]);
}

export async function expectTarget(bench: Bench, final: LegacyState): Promise<void> {
  const { tombstones, ...found } = await foundIn(bench);
  const wanted = expectedFrom(final, tombstones);
  const readable = (rows: typeof found.rows) =>
    Object.fromEntries(
      [...rows].map(([table, byId]): [TargetTableName, unknown] => [
        table,
        Object.fromEntries(byId),
      ]),
    );
  expect(readable(found.rows)).toEqual(readable(wanted.rows));
  const { rows: _found, ...foundLists } = found;
  const { rows: _wanted, ...wantedLists } = wanted;
  expect(foundLists).toEqual(wantedLists);
}
