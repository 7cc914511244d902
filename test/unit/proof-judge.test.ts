import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Lsn } from '../../core/version.ts';
import { judge, type Evidence } from '../../proof/mirror/judge.ts';
import { Pace, restMs } from '../../proof/mirror/pace.ts';
import { isDrawn } from '../../proof/mirror/sample.ts';
import { worst } from '../../proof/report.ts';

const lsn = (n: number) => BigInt(n) as Lsn;
const mirror = (commit: number, isDeleted = false): Evidence['mirror'] => ({
  isDeleted,
  version: { commitLsn: lsn(commit), changeLsn: lsn(0) },
});
const evidence = (given: Partial<Evidence>): Evidence => ({
  ...{ barrier: lsn(100), onSource: true, mirror: mirror(50), differing: [] },
  ...given,
});

test.each<[string, Partial<Evidence>, object]>([
  ['the same row on both sides agrees', {}, { kind: 'agrees' }],
  ['no row on either side agrees', { onSource: false, mirror: null }, { kind: 'agrees' }],
  [
    'a tombstone agrees with no row',
    { onSource: false, mirror: mirror(50, true) },
    { kind: 'agrees' },
  ],
  [
    'other values of before the barrier are wrong',
    { differing: ['a'] },
    { kind: 'wrong', what: 'different' },
  ],
  [
    'other values of a change behind the barrier say nothing',
    { differing: ['a'], mirror: mirror(101) },
    { kind: 'changing' },
  ],
  [
    'a change that begins to commit at the barrier may be invisible there',
    { differing: ['a'], mirror: mirror(100) },
    { kind: 'changing' },
  ],
  ['no row and no tombstone is wrong', { mirror: null }, { kind: 'wrong', what: 'missing' }],
  [
    'a tombstone of before the barrier is wrong where the source has a row',
    { mirror: mirror(50, true) },
    { kind: 'wrong', what: 'missing' },
  ],
  [
    'a tombstone of behind the barrier says nothing',
    { mirror: mirror(150, true) },
    { kind: 'changing' },
  ],
  [
    'a row of before the barrier that the source lacks is wrong',
    { onSource: false },
    { what: 'extra' },
  ],
  [
    'one of behind the barrier says nothing',
    { onSource: false, mirror: mirror(150) },
    { kind: 'changing' },
  ],
])('%s', (_, given, verdict) => {
  expect(judge(evidence(given))).toMatchObject(verdict);
});

test('the same fault leaves the same trace, and one under another version another', () => {
  const trace = (given: Partial<Evidence>) => {
    const verdict = judge(evidence({ differing: ['a'], ...given }));
    return verdict.kind === 'wrong' ? verdict.trace : null;
  };
  expect(trace({ barrier: lsn(200) })).toBe(trace({}));
  expect(trace({ mirror: mirror(51) })).not.toBe(trace({}));
  expect(trace({ onSource: false })).not.toBe(trace({}));
});

test('a sample draws its share, spread over the table, and the same with the same seed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.nat(999_999), (percent, seed) => {
      const share = percent / 100;
      const drawn = Array.from({ length: 1000 }, (_, i) => isDrawn({ share, seed }, i + 1));
      for (let start = 0; start < 1000; start += 200) {
        const count = drawn.slice(start, start + 200).filter(Boolean).length;
        expect(Math.abs(count - percent * 2)).toBeLessThanOrEqual(1); // in whole numbers
      }
    }),
  );
});

test('pauses hold the share of work and the rows per second, each side by itself', async () => {
  expect(restMs(300, 0.3)).toBeCloseTo(700);
  expect(restMs(300, 1)).toBe(0);
  let now = 0;
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const { signal } = new AbortController();
  const work = async () => {
    now += 30;
  };
  const pace = new Pace({ rowsPerSecond: null, maxLoad: 0.3 }, clock, signal);
  await pace.work('source', work);
  await pace.work('target', work);
  expect(now).toBe(60);
  await pace.work('source', work);
  expect(now).toBeCloseTo(130);
  now = 0;
  const slow = new Pace({ rowsPerSecond: 1000, maxLoad: 1 }, clock, signal);
  for (let i = 0; i < 5; i++) await slow.rows(200);
  expect(now).toBeCloseTo(1000);
});

test('a fault that was shown outweighs what is open', () => {
  expect(worst(['agrees', 'unsettled', 'differs'])).toBe('differs');
  expect(worst(['agrees', 'unsettled'])).toBe('unsettled');
  expect(worst([])).toBe('agrees');
});
