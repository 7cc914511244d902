import fc from 'fast-check';
import { expect, test } from 'vitest';
import { play, readerAt, shuffled, step } from '../harness/small-history.ts';
import { faultLines, proofOf } from '../harness/target-proof.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();

const derivedAll = () =>
  bench.query(
    `insert into tandem.entity (name, derived_at) select unnest($1::text[]), now()
     on conflict (name) do update set derived_at = now()`,
    [bench.model.entities.map((entity) => entity.name)],
  );

test('after any history, at every commit, the target agrees with the mirror', async () => {
  const histories = fc.array(step, { minLength: 20, maxLength: 120, size: 'max' });
  const orders = fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(histories, orders, async (steps, choices) => {
      await bench.reset();
      await derivedAll();
      const history = play(bench, steps);
      await using open = await bench.applier({ reader: readerAt(bench, history), maxRoots: 3 });
      const events = shuffled(history.events, 3, choices);
      for (let i = 0; i < events.length; i += 7) {
        await bench.apply(open, ...events.slice(i, i + 7));
        if (i % 21 !== 0) continue;
        // Jobs are open here and there: what they have not derived yet is pending, not wrong.
        const proof = await proofOf(bench);
        expect(faultLines(proof).filter((line) => !/ pending | a job /.test(line))).toEqual([]);
        expect(proof.agrees).toBe(true);
      }
      await bench.runJobs(open);
      const proof = await proofOf(bench);
      expect(faultLines(proof)).toEqual([]);
      expect([proof.agrees, proof.isSettled]).toEqual([true, true]);
    }),
    { numRuns: 8, endOnFailure: true },
  );
}, 120_000);
