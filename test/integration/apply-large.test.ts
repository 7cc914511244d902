import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { setEntityState } from '../../consumers/entity-state.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import {
  UNCHANGED,
  version,
  type LegacyRow,
  type OpenApplier,
  type SentRow,
} from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { expectedFrom, foundIn, type LegacyState } from '../harness/small-expected.ts';
import { SPECIAL_NAMES } from '../harness/small-mapping.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

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

test('two processes with a stream each share the jobs and derive no portion twice at a time', async () => {
  await bench.addStream('other');
  await using one = await bench.applier({ maxRoots: 5 });
  await bench.apply(one, user(1), ...numbers(30).map((id) => patient(id)));
  await bench.runJobs(one);
  await bench.apply(one, user(1, 'new'));
  await using two = await bench.applier({ maxRoots: 5, stream: 'other' });
  const portions = await Promise.all([bench.runJobs(one), bench.runJobs(two)]);
  // Whoever finds the only job taken stops; the other finishes it.
  await bench.runJobs(two);
  expect(portions[0] + portions[1]).toBeGreaterThan(0);
  expect(await names()).toEqual({ new: 30 });
  expect(await jobs()).toEqual([]);
});

test('a process whose stream was taken over does no job and wakes nobody', async () => {
  await using one = await bench.applier();
  await bench.query(`insert into tandem.job (entity, reason) values ('patient', 'test')`);
  await using two = await bench.applier();
  await expect(one.applier.runJob()).rejects.toThrow('POSITION_TAKEN');
  await expect(one.applier.wakeWaiting()).rejects.toThrow('POSITION_TAKEN');
  expect(await jobs()).toHaveLength(1);
  await bench.runJobs(two);
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

/** A batch with so many changed rows of one table goes in slices, which are merged ahead. */
const SLICED = 2300;

/** Patients in very many states, and what hangs on them, with the events that lead there. */
function bigBatch(): { first: ChangeEvent[]; second: ChangeEvent[]; state: LegacyState } {
  const state: LegacyState = new Map(
    ['auth_user', 'patient', 'instruction', 'office'].map((table) => [
      table,
      new Map<string, LegacyRow>(),
    ]),
  );
  let events: ChangeEvent[] = [];
  const set = (table: string, row: LegacyRow) => {
    state.get(table)?.set(String(row['id']), row);
    events.push(put(table, row));
  };
  const drop = (table: string, id: number) => {
    if (state.get(table)?.delete(String(id)) === true) {
      events.push(bench.remove(table, { id }, version(1, ++clock)));
    }
  };
  const change = (id: number, more: LegacyRow) => {
    const before = state.get('patient')?.get(String(id));
    if (before === undefined) return;
    const row = { ...before, ...more };
    state.get('patient')?.delete(String(id));
    state.get('patient')?.set(String(row['id']), row);
    const oldKey = row['id'] === id ? null : { id };
    const sent: SentRow = { ...row, note: UNCHANGED };
    events.push(bench.write('update', 'patient', sent, version(1, ++clock), oldKey));
  };
  const row = (id: number, n: number): LegacyRow => ({
    id,
    user_id: 1 + ((n * 13) % 50),
    office_id: n % 5 === 0 ? null : 1 + (n % 9),
    doctor_id: n % 40 === 0 ? 1 + (n % 4) : null,
    note: `note ${n}`,
  });
  for (const id of numbers(SLICED)) set('patient', row(id, id));
  for (const id of numbers(40)) set('instruction', { id, patient_id: id * 50, status: id % 7 });
  for (const id of numbers(40)) set('auth_user', { id, name: `u ${id}`, last_login: null });
  const first = events;
  events = [];
  for (const id of numbers(SLICED)) {
    if (id % 3 !== 0) change(id, { office_id: 1 + (id % 7) });
    else set('patient', row(id, id + 1));
    // Twice in one batch, to a key in another slice, onto the key of one that goes, and gone.
    if (id % 10 === 0) change(id, { user_id: 1 + (id % 45) });
    if (id % 100 === 0) change(id, { id: id + 5000 });
    if (id % 100 === 1) drop('patient', id);
    if (id % 100 === 2) change(id, { id: id - 1 });
  }
  for (const id of numbers(9)) set('office', { id, name: `office ${id}`, parent_id: 1 + (id % 8) });
  for (const id of numbers(50)) set('auth_user', { id, name: `v ${id}`, last_login: null });
  return { first, second: events, state };
}

test('a batch in slices ends as one that was not, with key changes across them and rows left out', async () => {
  const { first, second, state } = bigBatch();
  await using open = await bench.applier({ maxRoots: 10_000 });
  await bench.apply(open, ...first);
  await bench.apply(open, ...second);
  expect(bench.notes.named('batch refused, narrowing down')).toEqual([]);
  await bench.runJobs(open);
  const { tombstones, ...found } = await foundIn(bench);
  expect(found).toEqual(expectedFrom(state, tombstones));
});

test('a refused row amid the slices is found, and the rest is applied', async () => {
  const { first, second, state } = bigBatch();
  await using open = await bench.applier({ maxRoots: 10_000 });
  await bench.apply(open, ...first, user(90, SPECIAL_NAMES.refused));
  state.get('auth_user')?.set('90', { id: 90, name: SPECIAL_NAMES.refused });
  await bench.apply(open, ...second);
  await bench.runJobs(open);
  const { tombstones, ...found } = await foundIn(bench);
  expect(found).toEqual(expectedFrom(state, tombstones));
});

test('a session that ends amid the slices leaves nothing behind', async () => {
  const { first } = bigBatch();
  for (const after of [5, 9, 14, 20, 27, 35]) {
    await using open = await bench.applier({ maxRoots: 10_000 });
    const query = open.client.query.bind(open.client) as (...given: unknown[]) => unknown;
    let left = after;
    (open.client as { query: unknown }).query = (...given: unknown[]) => {
      if (--left === 0) void open.kill();
      return query(...given);
    };
    await expect(bench.apply(open, ...first)).rejects.toMatchObject({ retry: 'timed' });
    expect(await bench.query('select id from legacy.patient limit 1')).toEqual([]);
  }
  await using open = await bench.applier({ maxRoots: 10_000 });
  await bench.apply(open, ...first);
  expect(await bench.query('select count(*)::int as n from legacy.patient')).toEqual([
    { n: SLICED },
  ]);
});

/** Whoever does not wait for a write may overtake it: here all of them do. */
function slowWrites({ client }: OpenApplier): void {
  const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
  (client as { query: unknown }).query = async (...given: unknown[]) => {
    const [first] = given;
    const text = typeof first === 'string' ? first : (first as { text: string }).text;
    if (/insert into ("public"|tandem\.unresolved|pg_temp)/.test(text)) await pause(40);
    return query(...given);
  };
}

test('rows of a big table that name each other across the slices find each other', async () => {
  const SIZE = 6000;
  const office = (id: number, n: number) =>
    put('office', {
      id,
      name: `office ${n}`,
      parent_id: id < SIZE / 2 ? null : 1 + ((id * 3571) % SIZE),
    });
  await using open = await bench.applier({ maxRoots: 10_000 });
  slowWrites(open);
  await bench.apply(open, ...numbers(SIZE).map((id) => office(id, 1)));
  await bench.runJobs(open);
  expect(bench.notes.named('batch refused, narrowing down')).toEqual([]);
  expect(await bench.query('select count(*)::int as n from tandem.unresolved')).toEqual([{ n: 0 }]);
  expect(
    await bench.query('select count(parent_id)::int as parents, count(*)::int as n from offices'),
  ).toEqual([{ parents: SIZE / 2 + 1, n: SIZE }]);
});

test('rows of a job that name each other across the slices find each other', async () => {
  const SIZE = 60;
  const office = (id: number) =>
    put('office', { id, name: `office ${id}`, parent_id: 1 + ((id * 37) % SIZE) });
  await using open = await bench.applier({ maxRoots: 8 });
  await bench.apply(open, ...numbers(SIZE).map(office));
  await bench.runJobs(open);
  await bench.query('update offices set parent_id = null');
  await bench.query('delete from offices');
  await using fresh = await bench.applier({ maxRoots: 8 });
  slowWrites(fresh);
  await bench.query(`insert into tandem.job (entity, reason) values ('office', 'test')`);
  while (await fresh.applier.runJob(() => false));
  expect(await bench.query('select count(*)::int as n from tandem.unresolved')).toEqual([{ n: 0 }]);
  expect(
    await bench.query('select count(parent_id)::int as parents, count(*)::int as n from offices'),
  ).toEqual([{ parents: SIZE, n: SIZE }]);
});

test('a big table whose rows wake others while roots are moved to disk loses none of them', async () => {
  const SIZE = 4000;
  await using open = await bench.applier({ maxRoots: 300 });
  await bench.apply(open, user(1));
  const waiting = (id: number) =>
    put('patient', { id, user_id: 1, office_id: 1 + (id % SIZE), doctor_id: null });
  await bench.apply(open, ...numbers(SIZE).map(waiting));
  slowWrites(open);
  // The patients' entity is locked for the sake of one of them: so the offices wake all at once.
  await bench.apply(
    open,
    ...numbers(SIZE).map((id) => put('office', { id, name: `office ${id}` })),
    put('patient', { id: SIZE + 1, user_id: 1 }),
  );
  expect(bench.notes.named('batch refused, narrowing down')).toEqual([]);
  await bench.runJobs(open);
  expect(await bench.query('select count(*)::int as n from tandem.unresolved')).toEqual([{ n: 0 }]);
  expect(await bench.query('select count(office_id)::int as n from patients')).toEqual([
    { n: SIZE },
  ]);
});
