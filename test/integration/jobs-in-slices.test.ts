import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addJobs } from '../../consumers/jobs.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { afterSlices, version, type OpenApplier } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { cut, cuts, expectConverged, history } from '../harness/converged.ts';
import { play } from '../harness/small-history.ts';
import { SPECIAL_NAMES } from '../harness/small-mapping.ts';

/** `TANDEM_RUNS=20` looks twenty times as long. */
const RUNS = Number(process.env['TANDEM_RUNS'] ?? 1);

const bench = await benchForFile();

/** Jobs for all roots of every entity, parents first. */
async function deriveAllAgain({ client }: OpenApplier): Promise<void> {
  const all = bench.model.entities.map(({ name }) => ({ entity: name, keys: null }));
  await addJobs(client, all, 'test');
}

/**
 * What nobody but deriving all of it again can put right. A row of a fan-out that nothing yields any
 * more is not brought to life: its id does not tell whose it was, so only a proof finds it.
 */
async function spoilTarget(): Promise<void> {
  const fanOut = bench.model.entity.get('summary')?.targets ?? [];
  for (const [target, { name, columns }] of bench.model.targets) {
    if (!columns.has('deleted_at')) continue;
    const which = fanOut.includes(target) ? 'deleted_at is null' : 'true';
    await bench.query(`update ${name} set deleted_at = case when deleted_at is null then now() end
      where hashtext(id::text) % 2 = 0 and ${which}`);
  }
}

async function runAll(open: OpenApplier, slices: number): Promise<void> {
  let portions = 0;
  while (await open.applier.runJob(afterSlices(slices))) {
    if (++portions > 1000) throw new Error('the jobs have no end');
  }
}

test('entities that are derived again slice by slice beside batches end as the mapping of the last state', async () => {
  const portions = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
  const sizes = fc.integer({ min: 1, max: 6 });
  await fc.assert(
    fc.asyncProperty(history, cuts, portions, sizes, async (steps, lengths, turns, maxRoots) => {
      await bench.reset();
      const past = play(bench, steps);
      await using open = await bench.applier({ maxRoots });
      const batches = cut(past.events, lengths);
      const half = batches.length >> 1;
      for (const [i, events] of batches.entries()) {
        if (i === half) await deriveAllAgain(open);
        await bench.apply(open, ...events);
        await open.applier.runJob(afterSlices(turns[i % turns.length] ?? 1));
      }
      await runAll(open, turns[0] ?? 1);
      await spoilTarget();
      await deriveAllAgain(open);
      await runAll(open, 20);
      await expectConverged(bench, past);
    }),
    { numRuns: 20 * RUNS },
  );
});

let clock = 0;
const user = (id: number, name = `user ${id}`): ChangeEvent =>
  bench.write('create', 'auth_user', { id, name }, version(1, ++clock));
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const jobs = () => bench.query('select entity, after_key, done::int from tandem.job');

test('a portion goes on until it is over, and the next one behind it', async () => {
  await bench.reset();
  await using open = await bench.applier({ maxRoots: 4 });
  await bench.apply(open, ...numbers(30).map((id) => user(id)));
  await bench.query(`insert into tandem.job (entity, reason) values ('profile', 'test')`);
  expect(await open.applier.runJob(afterSlices(3))).toBe(true);
  expect(await jobs()).toEqual([{ entity: 'profile', after_key: '12', done: 12 }]);
  expect(await open.applier.runJob(() => false)).toBe(true);
  expect(await jobs()).toEqual([]);
});

test('behind a row that the target refuses a job begins small again, and loses none', async () => {
  await bench.reset();
  await using open = await bench.applier({ maxRoots: 4 });
  const names = numbers(40).map((id) => user(id, id === 18 ? SPECIAL_NAMES.refused : undefined));
  await bench.apply(open, ...names);
  await bench.query(`delete from tandem.quarantine; update profiles set deleted_at = now()`);
  await bench.query(`insert into tandem.job (entity, reason) values ('profile', 'test')`);
  const done: unknown[] = [];
  while (await open.applier.runJob(() => false)) done.push((await jobs())[0]?.['done']);
  // All, one, two, four: refused, one, two: refused, and found in one; then two, and all that is left.
  expect(done).toEqual([4, 12, 16, 20, 28, undefined]);
  expect(await bench.query('select root_key from tandem.quarantine')).toEqual([{ root_key: '18' }]);
  const applied = 'select count(*)::int as n from profiles where deleted_at is null';
  expect(await bench.query(applied)).toEqual([{ n: 39 }]);
});

test('rows that come out as they are already are not touched at all', async () => {
  await bench.reset();
  await using open = await bench.applier();
  await bench.apply(open, ...numbers(30).map((id) => user(id)));
  const marks = () => bench.query('select id, xmin::text, xmax::text, ctid::text from profiles');
  const before = await marks();
  await bench.query(`insert into tandem.job (entity, reason) values ('profile', 'test')`);
  await runAll(open, 9);
  expect(await marks()).toEqual(before);
});
