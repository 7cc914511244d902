import { beforeEach, expect, test } from 'vitest';
import type { ChangeEvent } from '../../core/change-event.ts';
import { uuidOf } from '../../core/uuid.ts';
import { pidOf, version, type LegacyRow, type OpenApplier } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { waitFor } from '../harness/wait-for.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

let clock = 0;
const put = (table: string, row: LegacyRow): ChangeEvent =>
  bench.write('update', table, row, version(1, ++clock));
const gone = (table: string, key: LegacyRow): ChangeEvent =>
  bench.remove(table, key, version(1, ++clock));
const user = (id: number) => put('auth_user', { id, name: `user ${id}` });
const office = (id: number) => put('office', { id, name: `office ${id}` });
const patient = (id: number, userId: number, officeId: number | null = null) =>
  put('patient', { id, user_id: userId, office_id: officeId });
const order = (id: number, patientId: number, more: LegacyRow = {}) =>
  put('instruction', { id, patient_id: patientId, status: 1, ...more });

const marks = async (list: 'held' | 'unresolved') =>
  (
    await bench.query(
      `select distinct entity || ' ' || root_key || ' ' || target_column as mark from tandem.${list} order by 1`,
    )
  ).map((row) => row['mark']);
const live = async (table: string) => {
  const rows = await bench.query(`select id from ${table} where deleted_at is null order by id`);
  return rows.map((row) => Number(String(row['id']).slice(-4)));
};
const stamps = (table: string) =>
  bench.query(
    `select id, xmin::text, updated_at::text as at, deleted_at from ${table} order by id`,
  );

test('a child that comes first has a null and is recorded; the batch that brings the parent fills it', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), patient(1, 1, 7));
  expect(await marks('unresolved')).toEqual(['patient 1 office_id']);
  expect(
    await bench.query('select parent_table, parent_entity, parent_key from tandem.unresolved'),
  ).toEqual([{ parent_table: 'offices', parent_entity: 'office', parent_key: '7' }]);
  await bench.apply(open, office(7));
  // Patients do not read offices, so their entity is not locked by that batch: a job wakes them.
  expect(await bench.query('select entity, reason from tandem.job')).toEqual([
    { entity: 'patient', reason: 'a parent arrived' },
  ]);
  await bench.runJobs(open);
  expect(await marks('unresolved')).toEqual([]);
  expect(await bench.query('select office_id from patients')).toEqual([
    { office_id: uuidOf('office', 7) },
  ]);
});

/** Its next commit waits until it is let go. */
function holdCommit({ client }: OpenApplier): { reached: Promise<void>; letGo: () => void } {
  const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
  let arrive = () => {};
  let letGo = () => {};
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  const released = new Promise<void>((resolve) => (letGo = resolve));
  (client as { query: unknown }).query = async (...given: unknown[]) => {
    if (given[0] === 'commit') {
      arrive();
      await released;
    }
    return query(...given);
  };
  return { reached, letGo };
}

test('a parent and its child that two processes bring at one moment do not miss each other', async () => {
  await bench.addStream('other');
  for (const first of ['parent', 'child']) {
    await bench.reset();
    await using one = await bench.applier();
    await using two = await bench.applier({ stream: 'other' });
    await bench.apply(one, user(1));
    const parent = () => office(7);
    const child = () => patient(1, 1, 7);
    const { reached, letGo } = holdCommit(one);
    const earlier = bench.apply(one, first === 'parent' ? parent() : child());
    await reached;
    const later = bench.apply(two, first === 'parent' ? child() : parent());
    // It waits for the other's lock; without it it would be through by now.
    await Promise.race([later, isWaitingForLock(two)]);
    letGo();
    await Promise.all([earlier, later]);
    await bench.runJobs(two);
    expect([first, await marks('unresolved')]).toEqual([first, []]);
    expect(await bench.query('select office_id from patients')).toEqual([
      { office_id: uuidOf('office', 7) },
    ]);
  }
});

const isWaitingForLock = ({ client }: OpenApplier) =>
  waitFor(
    async () => {
      const [row] = await bench.query(
        `select wait_event_type = 'Lock' as waits from pg_stat_activity where pid = $1`,
        [pidOf(client)],
      );
      return row?.['waits'] === true;
    },
    { what: 'the second process to wait for the first' },
  );

test('where the children are derived by the same batch anyway, it fills them itself', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), patient(1, 1, 7));
  await bench.apply(open, office(7), patient(2, 1));
  expect(await marks('unresolved')).toEqual([]);
  expect(await bench.query('select entity from tandem.job')).toEqual([]);
});

test('a chain of held rows is released by the parent at its top', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    put('instruction_state', {
      id: 1,
      instruction_id: 1,
      status: 1,
      set_at: '2024-01-01 00:00:00+00',
    }),
  );
  await bench.apply(open, order(1, 1));
  await bench.apply(open, patient(1, 1));
  expect(await marks('held')).toEqual([
    'order 1 patient_id',
    'order_state 1 order_id',
    'patient 1 profile_id',
    'summary 1 patient_id',
  ]);
  for (const table of ['patients', 'orders', 'order_states', 'summaries']) {
    expect([table, await live(table)]).toEqual([table, []]);
  }
  await bench.apply(open, user(1));
  await bench.runJobs(open);
  expect(await marks('held')).toEqual([]);
  for (const table of ['patients', 'orders', 'order_states', 'summaries']) {
    expect([table, await live(table)]).toEqual([table, [1]]);
  }
});

test('a row with two missing parents waits for both', async () => {
  await using open = await bench.applier();
  await bench.apply(open, put('office_user', { office_id: 1, user_id: 2, label: 'x' }));
  expect(await marks('held')).toEqual([
    'office_profile ["1","2"] office_id',
    'office_profile ["1","2"] profile_id',
  ]);
  await bench.apply(open, office(1));
  await bench.runJobs(open);
  expect(await marks('held')).toEqual(['office_profile ["1","2"] profile_id']);
  await bench.apply(open, user(2));
  await bench.runJobs(open);
  expect(await marks('held')).toEqual([]);
  expect(await bench.query('select id, label from office_profiles')).toEqual([
    { id: uuidOf('office_profile', [1, 2]), label: 'x' },
  ]);
});

test('rows that name each other arrive in any order, also apart', async () => {
  for (const first of ['jaw', 'order']) {
    await bench.reset();
    await using open = await bench.applier();
    const jaw = () => put('jaw', { id: 1, kind: 'k' });
    const named = () => order(1, 1, { upper_jaw_id: 1, lower_jaw_id: 2 });
    await bench.apply(open, user(1), patient(1, 1));
    await bench.apply(open, first === 'jaw' ? jaw() : named());
    await bench.apply(open, first === 'jaw' ? named() : jaw());
    await bench.runJobs(open);
    expect(await bench.query('select upper_jaw_id, lower_jaw_id from orders')).toEqual([
      { upper_jaw_id: uuidOf('jaw', 1), lower_jaw_id: null },
    ]);
    expect(await bench.query('select order_id from jaws')).toEqual([
      { order_id: uuidOf('order', 1) },
    ]);
    expect(await marks('unresolved')).toEqual(['order 1 lower_jaw_id']);
  }
});

test('children of a deleted row keep pointing at it; inserted again, it is the same row', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), office(1), patient(1, 1, 1));
  const before = await stamps('patients');
  await bench.apply(open, gone('office', { id: 1 }));
  expect(await live('offices')).toEqual([]);
  expect(await stamps('patients')).toEqual(before);
  expect(await marks('unresolved')).toEqual([]);
  // A child that comes later points at the tombstone too.
  await bench.apply(open, patient(2, 1, 1));
  expect(await bench.query('select office_id from patients')).toEqual(
    [1, 2].map(() => ({ office_id: uuidOf('office', 1) })),
  );
  await bench.apply(open, office(1));
  expect(await live('offices')).toEqual([1]);
});

test('a row loses its parent and is not lost: it is held, and comes back with it', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), patient(1, 1), order(1, 1));
  await bench.apply(open, patient(1, 9));
  expect(await live('patients')).toEqual([]);
  expect(await marks('held')).toEqual(['patient 1 profile_id']);
  // The order keeps pointing at the soft-deleted patient.
  expect(await live('orders')).toEqual([1]);
  await bench.apply(open, user(9));
  await bench.runJobs(open);
  expect(await live('patients')).toEqual([1]);
  expect(await marks('held')).toEqual([]);
});

test('a root that is excluded loses its row, and has it again when it is not', async () => {
  await using open = await bench.applier();
  const doctorOf = (doctor: number | null) =>
    put('patient', { id: 1, user_id: 1, doctor_id: doctor });
  await bench.apply(open, user(1), user(2), doctorOf(2));
  const [first] = await bench.query('select id, updated_at::text as at from doctors');
  expect(first?.['id']).toBe(uuidOf('profile', 2));
  await bench.apply(open, doctorOf(null));
  expect(await live('doctors')).toEqual([]);
  expect(
    await bench.query(
      `select root_key, rule from tandem.excluded where entity = 'doctor' order by 1`,
    ),
  ).toEqual(['1', '2'].map((root_key) => ({ root_key, rule: 'not_a_doctor' })));
  await bench.apply(open, doctorOf(2));
  expect(await live('doctors')).toEqual([2]);
  expect(await bench.query(`select root_key from tandem.excluded where entity = 'doctor'`)).toEqual(
    [{ root_key: '1' }],
  );
});

const lines = () =>
  bench.query(
    `select right(id::text, 4)::int as line, right(patient_id::text, 4)::int as patient
     from summary_lines where deleted_at is null and status is not null order by 1`,
  );

test('rows that a root does not yield any more are soft-deleted, in every table', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), patient(1, 1), order(1, 1), order(2, 1));
  expect(await lines()).toEqual([1, 2].map((line) => ({ line, patient: 1 })));
  await bench.apply(open, gone('instruction', { id: 1 }));
  expect(await lines()).toEqual([{ line: 2, patient: 1 }]);
  await bench.apply(open, gone('instruction', { id: 2 }));
  expect(await lines()).toEqual([]);
  expect(await live('summaries')).toEqual([]);
  expect(await bench.query('select root_key from tandem.yielded')).toEqual([]);
  await bench.apply(open, order(1, 1));
  expect(await lines()).toEqual([{ line: 1, patient: 1 }]);
});

test('a row that moves from one root to another stays, whichever of them is derived first', async () => {
  for (const [from, to] of [
    [1, 2],
    [2, 1],
  ] as const) {
    for (const maxRoots of [1000, 1]) {
      await bench.reset();
      await using open = await bench.applier({ maxRoots });
      await bench.apply(
        open,
        user(1),
        patient(1, 1),
        patient(2, 1),
        order(5, from),
        order(6, from),
      );
      await bench.runJobs(open);
      await bench.apply(open, order(5, to));
      await bench.runJobs(open);
      expect([from, to, maxRoots, await lines()]).toEqual([
        from,
        to,
        maxRoots,
        [
          { line: 5, patient: to },
          { line: 6, patient: from },
        ],
      ]);
    }
  }
});

test('a key change moves the row: the old one is soft-deleted, the children follow theirs', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), office(1), patient(1, 1, 1));
  await bench.apply(
    open,
    bench.write('update', 'office', { id: 2, name: 'moved' }, version(1, ++clock), { id: 1 }),
  );
  expect(
    await bench.query('select name, deleted_at is null as live from offices order by id'),
  ).toEqual([
    { name: 'office 1', live: false },
    { name: 'moved', live: true },
  ]);
  await bench.apply(open, patient(1, 1, 2));
  expect(await bench.query('select office_id from patients')).toEqual([
    { office_id: uuidOf('office', 2) },
  ]);
});

test('a row that came and went inside one batch leaves a tombstone in the mirror and nothing else', async () => {
  await using open = await bench.applier();
  await bench.apply(open, office(1), gone('office', { id: 1 }));
  expect(await bench.query('select id from offices')).toEqual([]);
  expect(await bench.query('select id, _deleted from legacy.office')).toEqual([
    { id: 1, _deleted: true },
  ]);
});

test('a column that an entity does not read leaves its rows untouched', async () => {
  await using open = await bench.applier();
  const login = (time: string | null) => put('auth_user', { id: 1, name: 'ada', last_login: time });
  await bench.apply(
    open,
    login(null),
    put('patient', { id: 1, user_id: 1, doctor_id: 1 }),
    order(1, 1),
  );
  const untouched = ['profiles', 'patients', 'orders'];
  const before = await Promise.all(untouched.map(stamps));
  const doctors = await stamps('doctors');
  await bench.apply(open, login('2024-05-05 10:00:00+00'));
  expect(bench.notes.derived).toEqual({ doctor: 1 });
  expect(await Promise.all(untouched.map(stamps))).toEqual(before);
  expect(await stamps('doctors')).not.toEqual(doctors);
  const after = await stamps('doctors');
  // The same values under a newer version change nothing at all.
  await bench.apply(open, login('2024-05-05 10:00:00+00'));
  expect(bench.notes.derived).toEqual({});
  expect(await stamps('doctors')).toEqual(after);
});

test('columns that the mapping does not write belong to the target', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1));
  await bench.query(`update profiles set colour = 'red'`);
  await bench.apply(open, put('auth_user', { id: 1, name: 'other' }));
  expect(await bench.query('select name, colour from profiles')).toEqual([
    { name: 'other', colour: 'red' },
  ]);
});

test('a change deep in the tree reaches the root', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    put('django_content_type', { id: 1, app_label: 'dispatch', model: 'patient' }),
    put('record', { id: 1, content_type_id: 1, object_id: 1 }),
    user(1),
    patient(1, 1),
    order(1, 1),
  );
  await bench.apply(open, put('auth_user', { id: 1, name: 'deep' }));
  expect(await bench.query('select patient_name from orders')).toEqual([{ patient_name: 'deep' }]);
  expect(await bench.query('select about from messages')).toEqual([{ about: 'deep' }]);
  await bench.apply(open, gone('auth_user', { id: 1 }));
  expect(await bench.query('select patient_name from orders')).toEqual([{ patient_name: null }]);
});

test('a child that changes its parent derives the old and the new parent', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1), user(2), patient(1, 1), patient(2, 2));
  const counts = async () => {
    const rows = await bench.query(
      `select right(id::text, 4)::int as id, patients from doctors where deleted_at is null order by 1`,
    );
    return rows.map((row) => [row['id'], row['patients']]);
  };
  const doctor = (id: number, doctor: number | null) =>
    put('patient', { id, user_id: id, doctor_id: doctor });
  await bench.apply(open, doctor(1, 1), doctor(2, 1));
  expect(await counts()).toEqual([[1, 2]]);
  await bench.apply(open, doctor(2, 2));
  expect(await counts()).toEqual([
    [1, 1],
    [2, 1],
  ]);
  // To and fro in one batch: the parent in between is not forgotten, and not counted.
  await bench.apply(open, doctor(1, 2), doctor(1, null), doctor(2, 1));
  expect(await counts()).toEqual([[1, 1]]);
});

test('the row before another is found again when its neighbours change', async () => {
  await using open = await bench.applier();
  const state = (id: number, instruction: number, status: number, day: number) =>
    put('instruction_state', {
      id,
      instruction_id: instruction,
      status,
      set_at: `2024-01-0${day} 00:00:00+00`,
    });
  const previous = async () => {
    const rows = await bench.query(
      `select status, previous_status as before from order_states where deleted_at is null order by status`,
    );
    return Object.fromEntries(rows.map((row) => [String(row['status']), row['before']]));
  };
  await bench.apply(open, user(1), patient(1, 1), order(1, 1), order(2, 1));
  await bench.apply(open, state(1, 1, 11, 1), state(2, 1, 12, 2), state(3, 1, 13, 3));
  expect(await previous()).toEqual({ 11: null, 12: 11, 13: 12 });
  await bench.apply(open, state(2, 2, 12, 2));
  expect(await previous()).toEqual({ 11: null, 12: null, 13: 11 });
  await bench.apply(open, state(2, 1, 12, 3));
  // The same moment as the third: the key decides.
  expect(await previous()).toEqual({ 11: null, 12: 11, 13: 12 });
  await bench.apply(open, gone('instruction_state', { id: 1 }));
  expect(await previous()).toEqual({ 12: null, 13: 12 });
});

test('a content type that is renamed, deleted or comes late changes what names it', async () => {
  await using open = await bench.applier();
  const type = (model: string) =>
    put('django_content_type', { id: 3, app_label: 'dispatch', model });
  const abouts = async () =>
    (await bench.query('select about from messages where deleted_at is null')).map(
      (row) => row['about'],
    );
  await bench.apply(
    open,
    user(1),
    patient(1, 1),
    order(1, 1),
    put('record', { id: 1, content_type_id: 3, object_id: 1 }),
  );
  expect(await abouts()).toEqual([]);
  await bench.apply(open, type('patient'));
  expect(await abouts()).toEqual(['user 1']);
  await bench.apply(open, type('instruction'));
  expect(await abouts()).toEqual(['status 1']);
  await bench.apply(open, type('elsewhere'));
  expect(await abouts()).toEqual([]);
  await bench.apply(open, type('instruction'), order(1, 1, { status: 8 }));
  expect(await abouts()).toEqual(['status 8']);
  await bench.apply(open, gone('django_content_type', { id: 3 }));
  expect(await abouts()).toEqual([]);
});
