import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { placeBefore } from '../../consumers/moments.ts';
import { storePosition } from '../../consumers/position.ts';
import type { Position } from '../../core/ports.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import type { OpenApplier } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();
beforeEach(async () => {
  await bench.reset();
  await bench.query('delete from tandem.moment');
  await bench.query('update tandem.position set noted_at = null');
});

const START = Date.parse('2026-01-31T08:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000);
const lsn = (place: number) => BigInt(place) as Lsn;

/** A batch whose transactions end at `place` and committed at these seconds; heartbeats are as good. */
async function commit(open: OpenApplier, place: number, seconds: number, isBeat = false) {
  const ms = at(seconds).getTime();
  const given = isBeat ? { heartbeat: { sentAtMs: ms } } : { committedAtMs: ms };
  const position = formatLsn(lsn(place)) as Position;
  await open.applier.apply(bench.batch([], { position, ...given }));
}

test('a time is a place before which nothing was committed then or later, whatever the clock did', async () => {
  /** Seconds that pass, which may be negative, and whether a heartbeat says so. */
  const clock = fc.array(fc.tuple(fc.integer({ min: -40, max: 90 }), fc.boolean()), {
    minLength: 1,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(clock, fc.integer({ min: -60, max: 900 }), async (passing, asked) => {
      await bench.query('delete from tandem.moment');
      await bench.query('update tandem.position set noted_at = null');
      await using open = await bench.applier();
      const commits: { place: number; seconds: number }[] = [];
      let seconds = 0;
      for (const [passed, isBeat] of passing) {
        seconds += passed;
        const place = (commits.length + 1) * 16;
        await commit(open, place, seconds, isBeat);
        commits.push({ place, seconds });
      }
      const found = await placeBefore(open.client, 'main', at(asked)).catch(() => null);
      // A transaction lies before the place where its batch ends.
      const since = commits.filter((it) => it.seconds >= asked);
      if (found !== null) for (const { place } of since) expect(place).toBeGreaterThan(found);
    }),
    { numRuns: 40 },
  );
});

test('the newest place that is sure is taken, and an earlier time says since when it is known', async () => {
  await using open = await bench.applier();
  for (const minute of [0, 1, 2, 3]) {
    await commit(open, minute * 100 + 16, minute * 60);
    // Once a minute is enough.
    await commit(open, minute * 100 + 32, minute * 60 + 30);
  }
  expect(await placeBefore(open.client, 'main', at(119))).toBe(116n);
  expect(await placeBefore(open.client, 'main', at(121))).toBe(216n);
  expect(await placeBefore(open.client, 'main', at(9999))).toBe(316n);
  await expect(placeBefore(open.client, 'main', at(0))).rejects.toThrow(
    'TIME_UNKNOWN asked=2026-01-31T08:00:00.000Z from=2026-01-31T08:00:01.000Z',
  );
});

test('the oldest are forgotten, and all of them with another slot', async () => {
  await using open = await bench.applier();
  await bench.query(`insert into tandem.moment
    select 'main', i, '2026-01-01'::timestamptz, '0/1' from generate_series(1, 43200) i`);
  await commit(open, 16, 0);
  expect(
    await bench.query('select min(number)::int as first, count(*)::int as n from tandem.moment'),
  ).toEqual([{ first: 2, n: 43_200 }]);
  await storePosition(open.client, {
    ...{ stream: 'main', slot: 'new', systemIdentifier: '1', timeline: 1 },
    consistentPoint: '0/1',
  });
  await expect(placeBefore(open.client, 'main', at(60))).rejects.toThrow('from=nothing');
});
