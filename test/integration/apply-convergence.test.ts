import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChangeEvent } from '../../core/change-event.ts';
import { Bench, type OpenApplier } from '../harness/apply-bench.ts';
import {
  expectedFrom,
  foundIn,
  mirrorOf,
  type LegacyState,
  type TargetTableName,
} from '../harness/small-expected.ts';
import { play, readerAt, shuffled, step, type History } from '../harness/small-history.ts';

/** `TANDEM_RUNS=20` looks twenty times as long. */
const RUNS = Number(process.env['TANDEM_RUNS'] ?? 1);

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const history = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' });
/** Lengths of batches, used in turn. */
const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });

function cut<T>(items: readonly T[], lengths: readonly number[]): T[][] {
  const pieces: T[][] = [];
  for (let start = 0, i = 0; start < items.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    pieces.push(items.slice(start, start + length));
    start += length;
  }
  return pieces;
}

const plain = (state: LegacyState) =>
  Object.fromEntries(
    [...state]
      .map(([table, rows]) => [
        table,
        Object.fromEntries(
          [...rows].map(([key, row]) => [
            key,
            Object.fromEntries(
              Object.entries(row)
                .filter(([, value]) => value !== null)
                .map(([name, value]) => [name, String(value)]),
            ),
          ]),
        ),
      ])
      .filter(([, rows]) => Object.keys(rows ?? {}).length > 0),
  );

/** Mirror = source, and target = map(mirror) with every list exactly as it has to be. */
async function expectConverged({ final, everSeen }: History): Promise<void> {
  const mirror = await mirrorOf(bench);
  expect(plain(mirror.state)).toEqual(plain(final));
  expect(mirror.leaks).toEqual([]);
  const gone = [...everSeen].filter((it) => {
    const [table = '', ...key] = it.split(' ');
    return final.get(table)?.has(key.join(' ')) !== true;
  });
  expect(mirror.tombstones.sort()).toEqual(gone.sort());
  await expectTarget(final);
  expect(await bench.query('select entity, reason from tandem.job')).toEqual([]);
}

async function expectTarget(final: LegacyState): Promise<void> {
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

async function applyAll(open: OpenApplier, batches: readonly (readonly ChangeEvent[])[]) {
  for (const events of batches) await bench.apply(open, ...events);
  await bench.runJobs(open);
}

test('any history in batches of any size ends as the mapping of its last state', async () => {
  await fc.assert(
    fc.asyncProperty(history, cuts, async (steps, lengths) => {
      await bench.reset();
      const past = play(bench, steps);
      await using open = await bench.applier();
      await applyAll(open, cut(past.events, lengths));
      await expectConverged(past);
    }),
    { numRuns: 30 * RUNS },
  );
});
