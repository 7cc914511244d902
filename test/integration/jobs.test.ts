import { beforeEach, expect, test } from 'vitest';
import { openClient } from '../../connectors/postgres/connection.ts';
import { addJob, moveJob, takeJob } from '../../consumers/jobs.ts';
import { version } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

const job = (values: readonly string[] | null) => ({
  ...{ entity: 'order', usage: null, reason: 'test', values },
});
const begun = (id: string, values: readonly string[]) => ({ ...job(values), id, after: null });
const open = async () =>
  (
    await bench.query(
      'select array_to_json(values) as values, after_key from tandem.job order by id',
    )
  ).map((row) => row['values']);

/** A session with a transaction of its own. */
async function session() {
  const client = await openClient(bench.target, 'test');
  await client.query('begin');
  return {
    client,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

test('an open job that nobody has begun makes the same one unnecessary, and so does one of all roots', async () => {
  await using one = await session();
  const first = await addJob(one.client, job(['2', '1']));
  expect(await addJob(one.client, job(['1', '2']))).toBe(first);
  const other = await addJob(one.client, job(['1', '3']));
  const all = await addJob(one.client, job(null));
  expect(await addJob(one.client, job(null))).toBe(all);
  expect([first, other, all]).toContain(await addJob(one.client, job(['1', '2'])));
  await addJob(one.client, { ...job(['1', '2']), entity: 'patient' });
  await one.client.query('commit');
  expect(await open()).toEqual([['1', '2'], ['1', '3'], null, ['1', '2']]);
});

test('a job that has been begun does not make up for another', async () => {
  await using one = await session();
  const first = await addJob(one.client, job(['1', '2']));
  await moveJob(one.client, begun(first, ['1', '2']), '1', 1);
  expect(await addJob(one.client, job(['1', '2']))).not.toBe(first);
  await one.client.query('commit');
  expect(await open()).toHaveLength(2);
});

test('a job that somebody has in hand does not count: he may have read before this change', async () => {
  await using taker = await session();
  const first = await addJob(taker.client, job(['1']));
  await taker.client.query('commit; begin');
  expect(await takeJob(taker.client, ['order'])).toMatchObject({ id: first });
  await using adder = await session();
  expect(await addJob(adder.client, job(['1']))).not.toBe(first);
  await adder.client.query('commit');
  await moveJob(taker.client, begun(first, ['1']), null, 1);
  await taker.client.query('commit');
  expect(await open()).toEqual([['1']]);
});

test('a job that counts is not taken before the change is committed that relies on it', async () => {
  await using adder = await session();
  const first = await addJob(adder.client, job(['1']));
  await adder.client.query('commit; begin');
  expect(await addJob(adder.client, job(['1']))).toBe(first);
  await using taker = await session();
  expect(await takeJob(taker.client, ['order'])).toBeNull();
  await adder.client.query('commit');
  expect(await takeJob(taker.client, ['order'])).toMatchObject({ id: first });
});

test('a change that fans out twice before its job has begun leaves one job', async () => {
  await using few = await bench.applier({ maxRoots: 2 });
  const orders = [1, 2, 3, 4].map((id) =>
    bench.write('create', 'instruction', { id, patient_id: 1, status: 1 }, version(2)),
  );
  const patient = (note: string, at: number, doctor: number | null) =>
    bench.write('update', 'patient', { id: 1, user_id: 1, note, doctor_id: doctor }, version(at));
  await bench.apply(
    few,
    bench.write('create', 'auth_user', { id: 1, name: 'ada' }, version(1)),
    bench.write('create', 'patient', { id: 1, user_id: 1 }, version(1)),
  );
  await bench.apply(few, ...orders);
  await bench.runJobs(few);
  const added = () => bench.query('select entity from tandem.job order by id');
  await bench.apply(few, bench.write('update', 'auth_user', { id: 1, name: 'eve' }, version(3)));
  const once = await added();
  expect(once.length).toBeGreaterThan(0);
  await bench.apply(few, bench.write('update', 'auth_user', { id: 1, name: 'ada' }, version(4)));
  await bench.apply(few, patient('x', 5, null));
  await bench.apply(few, bench.write('update', 'auth_user', { id: 1, name: 'zoe' }, version(6)));
  expect(new Set((await added()).map((row) => JSON.stringify(row)))).toEqual(
    new Set(once.map((row) => JSON.stringify(row))),
  );
  expect(await added()).toEqual(once);
  await bench.runJobs(few);
  const names = await bench.query('select distinct patient_name as name from orders');
  expect(names).toEqual([{ name: 'zoe' }]);
});
