import { beforeEach, expect, test } from 'vitest';
import type { TruncateAction } from '../../core/truncate-policy.ts';
import { version } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const always = (otherwise: TruncateAction) => ({ otherwise, tables: new Map() });

const bench = await benchForFile();
beforeEach(async () => {
  await bench.reset();
  await using open = await bench.applier();
  await bench.apply(
    open,
    bench.write('create', 'auth_user', { id: 1, name: 'ada' }, version(1)),
    bench.write('create', 'patient', { id: 1, user_id: 1, doctor_id: 1 }, version(1)),
    bench.write('create', 'patient', { id: 2, user_id: 1 }, version(9)),
  );
});

const patients = async () =>
  (await bench.query('select id, _deleted as gone from legacy.patient order by id')).map((row) => [
    row['id'],
    row['gone'],
  ]);
const live = async (table: string) =>
  (
    await bench.query(
      `select right(id::text, 2)::int as id from ${table} where deleted_at is null order by 1`,
    )
  ).map((row) => row['id']);

test('a truncate stops the stream and changes nothing, unless it is allowed', async () => {
  await using open = await bench.applier();
  const position = open.applier.position;
  await expect(
    bench.apply(
      open,
      bench.write('create', 'office', { id: 1, name: 'a' }, version(4)),
      bench.truncate('patient', version(5)),
    ),
  ).rejects.toMatchObject({ code: 'TRUNCATE_REFUSED', details: { table: 'patient' } });
  expect(await patients()).toEqual([
    [1, false],
    [2, false],
  ]);
  expect(await live('offices')).toEqual([]);
  expect(await bench.query('select position from tandem.position')).toEqual([{ position }]);
});

test('a truncate that is followed empties the table up to its version, and what is derived from it', async () => {
  await using open = await bench.applier({ onTruncate: always('apply'), maxRoots: 1 });
  await bench.apply(
    open,
    bench.write('create', 'patient', { id: 3, user_id: 1 }, version(4)),
    bench.truncate('patient', version(5)),
    bench.write('create', 'patient', { id: 4, user_id: 1 }, version(6)),
  );
  await bench.runJobs(open);
  expect(await patients()).toEqual([
    [1, true],
    [2, false],
    [3, true],
    [4, false],
  ]);
  expect(await live('patients')).toEqual([2, 4]);
  expect(await live('doctors')).toEqual([]);
  // Delivered again it takes nothing that came after it.
  await bench.apply(open, bench.truncate('patient', version(5)));
  await bench.runJobs(open);
  expect(await live('patients')).toEqual([2, 4]);
});

test('a truncate that is ignored keeps the rows; the same keys inserted again are updates', async () => {
  await using open = await bench.applier({ onTruncate: always('ignore') });
  await bench.apply(
    open,
    bench.truncate('patient', version(5)),
    bench.write('create', 'patient', { id: 1, user_id: 1, note: 'new' }, version(6)),
  );
  expect(await live('patients')).toEqual([1, 2]);
  expect(await bench.query(`select note from patients where note is not null`)).toEqual([
    { note: 'new' },
  ]);
  expect(bench.notes.named('truncate')).toEqual([{ table: 'patient', action: 'ignore' }]);
});
