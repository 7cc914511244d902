import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addJobs } from '../../consumers/jobs.ts';
import { Shadow } from '../../proof/shadow/shadow.ts';
import { dropShadow } from '../../proof/shadow/shadow-schema.ts';
import { afterSlices, Bench, type OpenApplier } from '../harness/apply-bench.ts';
import { cut, cuts, expectConverged, history } from '../harness/converged.ts';
import { play } from '../harness/small-history.ts';

/** `TANDEM_RUNS=20` looks twenty times as long. */
const RUNS = Number(process.env['TANDEM_RUNS'] ?? 1);

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const wanted = () => bench.model.entities.map(({ name }) => ({ entity: name, keys: null }));
/** Tables of derived entities, with what the mapping writes of their rows. */
const tables = () => [...new Set(bench.model.entities.flatMap(({ targets }) => targets))];

async function runJobs(open: OpenApplier): Promise<void> {
  while (await open.applier.runJob(afterSlices(20)));
}

/** The rows of a table by id, without times and the column that is the target's own. */
async function rowsOf(schema: string, table: string): Promise<Map<string, string>> {
  const rows = await bench.query(
    `select id, (to_jsonb(t) - array['updated_at', 'deleted_at', 'colour'])::text || (to_jsonb(t) ->> 'deleted_at' is null) as row
     from ${schema}.${table} as t`,
  );
  return new Map(rows.map(({ id, row }) => [String(id), String(row)]));
}

/** Another mapping's doing: rows that are marked wrongly, or nothing derived at all. */
async function spoil(how: 'marks' | 'all'): Promise<void> {
  const lists = ['held', 'unresolved', 'excluded', 'quarantine', 'issue', 'yielded'];
  if (how === 'all') {
    await bench.query(`truncate ${tables().join(', ')} cascade;
      truncate ${lists.map((list) => `tandem.${list}`).join(', ')}`);
    return;
  }
  const fanOut = bench.model.entity.get('summary')?.targets ?? [];
  for (const table of tables()) {
    if (bench.model.targets.get(table)?.columns.has('deleted_at') !== true) continue;
    const which = fanOut.includes(table) ? 'deleted_at is null' : 'true';
    await bench.query(`update ${table} set deleted_at = case when deleted_at is null then now() end
      where hashtext(id::text) % 2 = 0 and ${which}`);
  }
}

test('what a shadow shows is what deriving again then does, row by row', async () => {
  const how = fc.constantFrom('marks' as const, 'all' as const);
  await fc.assert(
    fc.asyncProperty(
      history,
      cuts,
      how,
      fc.integer({ min: 1, max: 6 }),
      async (steps, lengths, spoilt, pageRows) => {
        await bench.reset();
        const past = play(bench, steps);
        await using open = await bench.applier();
        for (const events of cut(past.events, lengths)) await bench.apply(open, ...events);
        await runJobs(open);
        await spoil(spoilt);
        const signal = new AbortController().signal;
        await using shadow = await Shadow.claim({
          ...{ target: bench.target, stream: 'main', schema: 'preview' },
          ...{ pageRows, examples: 1, observer: bench.notes, signal },
        });
        await shadow.fill({ model: bench.model, wanted: wanted() });
        const before = new Map(
          await Promise.all(tables().map(async (it) => [it, await rowsOf('public', it)] as const)),
        );

        await using again = await bench.applier();
        await addJobs(again.client, wanted(), 'test');
        await runJobs(again);
        for (const table of tables()) {
          const [old, now] = [before.get(table), await rowsOf('public', table)];
          const changed = [...now].filter(([id, row]) => old?.get(id) !== row).map(([id]) => id);
          const told = await bench.query(
            'select id from preview.tandem_changes where target_table = $1',
            [table],
          );
          expect([table, told.map(({ id }) => String(id)).sort()]).toEqual([table, changed.sort()]);
          const foreseen = await rowsOf('preview', table);
          for (const id of changed) expect([table, foreseen.get(id)]).toEqual([table, now.get(id)]);
        }
        await expectConverged(bench, past);
        await dropShadow(again.client, 'preview');
      },
    ),
    { numRuns: 5 * RUNS, endOnFailure: true },
  );
}, 300_000);
