import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { setEntityState } from '../../consumers/entity-state.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { Bench, version, type LegacyRow } from '../harness/apply-bench.ts';
import { expectedFrom, foundIn, type LegacyState } from '../harness/small-expected.ts';
import { SPECIAL_NAMES } from '../harness/small-mapping.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await bench.reset();
});

let clock = 0;
const put = (table: string, row: LegacyRow): ChangeEvent =>
  bench.write('update', table, row, version(1, ++clock));
const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const user = (id: number, name = `user ${id}`) => put('auth_user', { id, name });
const patient = (id: number, userId = 1) => put('patient', { id, user_id: userId });
const order = (id: number, patientId = 1, status = 1) =>
  put('instruction', { id, patient_id: patientId, status });

const names = async () => {
  const rows = await bench.query(
    'select name, count(*)::int as n from patients where deleted_at is null group by 1 order by 1',
  );
  return Object.fromEntries(rows.map((row) => [String(row['name']), row['n']]));
};
const jobs = () => bench.query('select entity, after_key from tandem.job order by id');

test('a transaction in pieces is invisible before its end and right after it, whatever its size', async () => {
  await using open = await bench.applier({ maxRoots: 7 });
  await bench.apply(open, user(1));
  const events = [
    ...numbers(30).map((id) => order(id, 1 + (id % 20))),
    ...numbers(20).map((id) => patient(id)),
    // The end of the transaction says something else than its beginning.
    user(1, 'late'),
    ...numbers(5).map((id) => order(id, 1, 9)),
    bench.remove('patient', { id: 20 }, version(1, ++clock)),
  ];
  for (let i = 0; i < events.length; i += 10) {
    const isCommitted = await open.applier.apply(
      bench.batch(events.slice(i, i + 10), { complete: false }),
    );
    expect(isCommitted).toBe(false);
    expect(open.applier.isIdle).toBe(false);
    expect(await bench.query('select id from legacy.instruction')).toEqual([]);
    expect(await names()).toEqual({});
  }
  expect(await open.applier.apply(bench.batch([]))).toBe(true);
  expect(await bench.query('select count(*)::int as n from orders where status = 9')).toEqual([
    { n: 5 },
  ]);
  await bench.runJobs(open);
  expect(await names()).toEqual({ late: 19 });
  expect(await bench.query('select entity from tandem.held')).toEqual([
    // The patient that came and went had no row: its order waits.
    { entity: 'order' },
  ]);
});

test('a piece that fails takes the whole transaction with it', async () => {
  await using open = await bench.applier();
  await open.applier.apply(bench.batch([user(1)], { complete: false }));
  await open.kill();
  await expect(open.applier.apply(bench.batch([user(2)]))).rejects.toMatchObject({
    retry: 'timed',
  });
  await using next = await bench.applier();
  expect(await bench.query('select id from legacy.auth_user')).toEqual([]);
  await bench.apply(next, user(1), user(2));
  expect(await bench.query('select count(*)::int as n from profiles')).toEqual([{ n: 2 }]);
});

test('a change that concerns too many roots becomes a job, which a killed process leaves half done', async () => {
  await using first = await bench.applier({ maxRoots: 10 });
  await bench.apply(first, user(1), user(2), ...numbers(35).map((id) => patient(id)));
  await bench.runJobs(first);
  await bench.apply(first, user(1, 'renamed'));
  expect(await jobs()).toEqual([{ entity: 'patient', after_key: null }]);
  expect(await names()).toEqual({ 'user 1': 35 });
  expect(await first.applier.runJob()).toBe(true);
  expect(await names()).toEqual({ renamed: 10, 'user 1': 25 });
  expect(await jobs()).toEqual([{ entity: 'patient', after_key: '10' }]);
  await first.kill();
  await expect(first.applier.runJob()).rejects.toMatchObject({ retry: 'timed' });

  await using second = await bench.applier({ maxRoots: 10 });
  // Batches between the portions: one behind where the job is, one before it.
  await bench.apply(second, patient(3, 2), patient(33, 2), user(1, 'again'));
  expect(await bench.runJobs(second)).toBeGreaterThan(3);
  expect(await names()).toEqual({ again: 33, 'user 2': 2 });
  expect(await jobs()).toEqual([]);
});

test('a job whose roots come and go meanwhile ends with those that are there', async () => {
  await using open = await bench.applier({ maxRoots: 4 });
  await bench.apply(open, user(1), ...numbers(12).map((id) => patient(id)));
  await bench.runJobs(open);
  await bench.apply(open, user(1, 'new'));
  await open.applier.runJob();
  await bench.apply(
    open,
    bench.remove('patient', { id: 4 }, version(1, ++clock)),
    bench.remove('patient', { id: 9 }, version(1, ++clock)),
    patient(13),
  );
  await bench.runJobs(open);
  expect(await names()).toEqual({ new: 11 });
});

test('two processes share the jobs and derive no portion twice at a time', async () => {
  await using one = await bench.applier({ maxRoots: 5 });
  await bench.apply(one, user(1), ...numbers(30).map((id) => patient(id)));
  await bench.runJobs(one);
  await bench.apply(one, user(1, 'new'));
  await using two = await bench.applier({ maxRoots: 5 });
  const portions = await Promise.all([bench.runJobs(one), bench.runJobs(two)]);
  // Whoever finds the only job taken stops; the other finishes it.
  await bench.runJobs(two);
  expect(portions[0] + portions[1]).toBeGreaterThan(0);
  expect(await names()).toEqual({ new: 30 });
  expect(await jobs()).toEqual([]);
});

test('a job of an entity that is paused waits, others go on', async () => {
  await using one = await bench.applier({ maxRoots: 5 });
  await bench.apply(one, user(1), ...numbers(12).map((id) => patient(id)));
  await bench.runJobs(one);
  await setEntityState(one.client, 'patient', 'paused', 'by a person');
  await using two = await bench.applier({ maxRoots: 5 });
  await bench.query(
    `insert into tandem.job (entity, reason) values ('patient', 'test'), ('profile', 'test')`,
  );
  await bench.runJobs(two);
  expect(await jobs()).toEqual([{ entity: 'patient', after_key: null }]);
});

/** A batch of so many events goes in slices that are merged while the one before is mapped. */
const SLICED = 2600;

test('a batch in slices ends as one that was not: children before parents, rows changed again, one refused', async () => {
  const state: LegacyState = new Map(
    ['auth_user', 'patient', 'instruction', 'office'].map((table) => [table, new Map()]),
  );
  const events: ChangeEvent[] = [];
  const set = (table: string, row: LegacyRow) => {
    state.get(table)?.set(String(row['id']), row);
    events.push(put(table, row));
  };
  const drop = (table: string, id: number) => {
    if (state.get(table)?.delete(String(id)) === true) {
      events.push(bench.remove(table, { id }, version(1, ++clock)));
    }
  };
  for (let n = 0; events.length < SLICED; n++) {
    const id = 1 + ((n * 7919) % 400);
    set('instruction', { id, patient_id: 1 + ((n * 31) % 90), status: n % 7, notes: `n ${n}` });
    if (n % 3 === 0) {
      set('patient', {
        id: 1 + (n % 90),
        user_id: 1 + ((n * 13) % 50),
        office_id: n % 5 === 0 ? null : 1 + (n % 9),
        doctor_id: 1 + (n % 4),
        note: null,
      });
    }
    if (n % 11 === 0) drop('instruction', 1 + ((n * 17) % 400));
    if (n % 40 === 0)
      set('office', { id: 1 + (n % 9), name: `office ${n}`, parent_id: 1 + (n % 8) });
    if (n % 30 === 0) drop('patient', 1 + ((n * 5) % 90));
    if (n > 900 && n % 9 === 0) {
      set('auth_user', { id: 1 + ((n / 9) % 50), name: `u ${n % 5}`, last_login: null });
    }
  }
  set('auth_user', { id: 60, name: SPECIAL_NAMES.refused, last_login: null });
  for (const withRefused of [false, true]) {
    await bench.reset();
    await using open = await bench.applier();
    const given = withRefused ? events : events.slice(0, -1);
    if (!withRefused) state.get('auth_user')?.delete('60');
    else state.get('auth_user')?.set('60', { id: 60, name: SPECIAL_NAMES.refused });
    expect(given.length).toBeGreaterThan(2000);
    await bench.apply(open, ...given);
    await bench.runJobs(open);
    const { tombstones, ...found } = await foundIn(bench);
    expect(found).toEqual(expectedFrom(state, tombstones));
  }
});

test('a session that ends amid the slices leaves nothing behind', async () => {
  const events = [
    ...numbers(1000).map((id) => user(id)),
    ...numbers(1500).map((id) => patient(id, 1 + (id % 1000))),
  ];
  for (const after of [8, 20, 30, 45]) {
    await using open = await bench.applier();
    const query = open.client.query.bind(open.client) as (...given: unknown[]) => unknown;
    let left = after;
    (open.client as { query: unknown }).query = (...given: unknown[]) => {
      if (--left === 0) void open.kill();
      return query(...given);
    };
    await expect(bench.apply(open, ...events)).rejects.toMatchObject({ retry: 'timed' });
    expect(await bench.query('select id from legacy.auth_user limit 1')).toEqual([]);
  }
  await using open = await bench.applier();
  await bench.apply(open, ...events);
  expect(await bench.query('select count(*)::int as n from patients')).toEqual([{ n: 1500 }]);
});
