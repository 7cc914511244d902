import { beforeEach, expect, test } from 'vitest';
import { version, type LegacyRow } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

const OLD = 'aaaaaaaa-0000-4000-8000-00000000000';
let clock = 0;
const put = (table: string, row: LegacyRow) =>
  bench.write('update', table, row, version(1, ++clock));

/** One patient with an order, and rows of a fan-out that roots of another key have yielded. */
async function withStrays() {
  await using open = await bench.applier();
  await bench.apply(
    open,
    put('auth_user', { id: 1, name: 'ada' }),
    put('patient', { id: 1, user_id: 1 }),
    put('instruction', { id: 1, patient_id: 1, status: 1 }),
  );
  for (const i of [1, 2]) {
    await bench.query(
      `insert into summaries (id, patient_id, orders) select $1, patient_id, 9 from summaries limit 1`,
      [OLD + String(i)],
    );
    await bench.query(`insert into tandem.yielded values ('summary', $1, 'summaries', $2)`, [
      `["old",${i}]`,
      OLD + String(i),
    ]);
  }
  await bench.query(`insert into tandem.excluded values ('summary', '["old",3]', 'a rule')`);
  await bench.query(`insert into tandem.entity (name, has_strays) values ('summary', true)`);
  await bench.query(`insert into tandem.job (entity, reason) values ('summary', 'test')`);
}

const live = () =>
  bench.query('select id, orders from summaries where deleted_at is null order by id');
const lists = () =>
  bench.query(
    `select root_key from tandem.yielded where root_key like '%old%'
     union all select root_key from tandem.excluded where root_key like '%old%'`,
  );

test('rows that a fan-out has yielded for roots of another key go behind the job for all roots', async () => {
  await withStrays();
  await bench.query('update tandem.mirror set loaded_at = now()');
  const before = await live();
  expect(before).toHaveLength(3);
  await using open = await bench.applier();
  await bench.runJobs(open);
  expect(await live()).toEqual(before.filter((row) => !String(row['id']).startsWith('aaaa')));
  expect(await lists()).toEqual([]);
  expect(await bench.query('select name from tandem.entity where has_strays')).toEqual([]);
});

test('as long as the table is not read completely nothing counts as a stray', async () => {
  await withStrays();
  await using open = await bench.applier();
  await bench.runJobs(open);
  expect(await live()).toHaveLength(3);
  expect(await bench.query('select name from tandem.entity where has_strays')).toHaveLength(1);
});
