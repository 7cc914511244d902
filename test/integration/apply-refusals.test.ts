import { beforeEach, expect, test } from 'vitest';
import { withClient } from '../../connectors/postgres/connection.ts';
import { retryRefused } from '../../consumers/retry-refused.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { version, type LegacyRow } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { SPECIAL_NAMES } from '../harness/small-mapping.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

let clock = 0;
const put = (table: string, row: LegacyRow): ChangeEvent =>
  bench.write('update', table, row, version(1, ++clock));
const user = (id: number, name: string, email: string | null = null) =>
  put('auth_user', { id, name, email });
const users = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => user(from + i, `user ${from + i}`));

const quarantine = () =>
  bench.query(
    `select root_key::int as key, error_class as error, attempts from tandem.quarantine
     where entity = 'profile' order by 1`,
  );
const refusedKeys = async () => (await quarantine()).map((row) => row['key']);
const appliedIds = async () =>
  (await bench.query('select legacy_id from profiles where deleted_at is null order by 1')).map(
    (row) => row['legacy_id'],
  );

test('a row that map rejects or throws on is in quarantine, the others are applied', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    ...users(1, 3),
    user(4, SPECIAL_NAMES.rejected),
    user(5, SPECIAL_NAMES.throws),
    user(6, SPECIAL_NAMES.excluded),
  );
  expect(await appliedIds()).toEqual([1, 2, 3]);
  expect(await quarantine()).toEqual([
    { key: 4, error: 'MAPPING_REJECTED_ROW', attempts: 1 },
    { key: 5, error: 'MAPPING_THREW', attempts: 1 },
  ]);
  const texts = await bench.query('select message from tandem.quarantine');
  expect(JSON.stringify(texts)).not.toContain(SPECIAL_NAMES.throws);
});

test('a row that the target refuses is found among many; all others are applied', async () => {
  await using open = await bench.applier();
  const bad = new Map([
    [3, user(3, SPECIAL_NAMES.refused)],
    [17, user(17, SPECIAL_NAMES.tooLong)],
    [40, user(40, SPECIAL_NAMES.refused)],
    [41, user(41, SPECIAL_NAMES.refused)],
    [64, user(64, SPECIAL_NAMES.tooLong)],
  ]);
  await bench.apply(open, ...users(1, 64).map((event, i) => bad.get(i + 1) ?? event));
  expect(await refusedKeys()).toEqual([...bad.keys()]);
  expect(await appliedIds()).toHaveLength(64 - bad.size);
  const [row] = await bench.query(`select message from tandem.quarantine where root_key = '3'`);
  expect(row?.['message']).toMatch(/sqlstate=23514.*constraint=profiles_name_check/);
});

test('a text that is too long is refused, never cut', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, SPECIAL_NAMES.tooLong), user(2, 'fits'));
  expect(await refusedKeys()).toEqual([1]);
  expect(await appliedIds()).toEqual([2]);
});

test('a row that leaves out a column is in quarantine and stops nobody', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, 'ada'), user(2, SPECIAL_NAMES.leavesOut));
  await bench.apply(open, user(3, SPECIAL_NAMES.leavesOut), user(4, 'ben'));
  expect(await refusedKeys()).toEqual([2, 3]);
  expect(await appliedIds()).toEqual([1, 4]);
});

test('a first row that leaves out a column does not decide what the others may write', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, SPECIAL_NAMES.leavesOut));
  await bench.apply(open, user(2, 'ada', 'a@x'));
  expect(await refusedKeys()).toEqual([1]);
  expect(await emails()).toEqual({ 2: 'a@x' });
});

test('an entry counts its attempts, and goes when the row is applied, excluded or deleted', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, SPECIAL_NAMES.rejected));
  const [first] = await bench.query('select first_seen_at::text as at from tandem.quarantine');
  await bench.apply(open, user(1, SPECIAL_NAMES.refused));
  await bench.apply(open, user(1, SPECIAL_NAMES.throws));
  expect(await quarantine()).toEqual([{ key: 1, error: 'MAPPING_THREW', attempts: 3 }]);
  expect(await bench.query('select first_seen_at::text as at from tandem.quarantine')).toEqual([
    first,
  ]);
  await bench.apply(open, user(1, 'ada'));
  expect(await refusedKeys()).toEqual([]);
  expect(await appliedIds()).toEqual([1]);
  for (const isDeleted of [false, true]) {
    await bench.apply(open, user(1, SPECIAL_NAMES.rejected));
    expect(await refusedKeys()).toEqual([1]);
    await bench.apply(
      open,
      isDeleted
        ? bench.remove('auth_user', { id: 1 }, version(1, ++clock))
        : user(1, SPECIAL_NAMES.excluded),
    );
    expect(await refusedKeys()).toEqual([]);
    expect(await appliedIds()).toEqual([]);
  }
});

test('a refused row keeps what it was, and its children keep pointing at it', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, 'ada'), put('patient', { id: 1, user_id: 1 }));
  await bench.apply(open, user(1, SPECIAL_NAMES.refused));
  expect(await refusedKeys()).toEqual([1]);
  expect(await bench.query('select name from profiles')).toEqual([{ name: 'ada' }]);
  expect(await bench.query('select name, deleted_at from patients')).toEqual([
    { name: SPECIAL_NAMES.refused, deleted_at: null },
  ]);
});

test('what hangs on a refused row is held, and applied when the row is', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    user(1, SPECIAL_NAMES.refused),
    put('patient', { id: 1, user_id: 1 }),
    put('instruction', { id: 1, patient_id: 1, status: 1 }),
  );
  expect(await bench.query('select entity from tandem.held order by 1')).toEqual(
    ['order', 'patient', 'summary', 'summary', 'summary'].map((entity) => ({ entity })),
  );
  await bench.apply(open, user(1, 'ada'));
  await bench.runJobs(open);
  expect(await bench.query('select entity from tandem.held')).toEqual([]);
  expect(await bench.query('select patient_name from orders')).toEqual([{ patient_name: 'ada' }]);
});

const emails = async () => {
  const rows = await bench.query('select legacy_id, email from profiles where email is not null');
  return Object.fromEntries(rows.map((row) => [String(row['legacy_id']), row['email']]));
};

test('a value that two rows must not share: the second is in quarantine, also where the target looks at commit', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, 'ada', 'a@x'), ...users(2, 5));
  await bench.apply(open, user(6, 'eva', 'a@x'), ...users(7, 9));
  expect(await refusedKeys()).toEqual([6]);
  expect(await appliedIds()).toEqual([1, 2, 3, 4, 5, 7, 8, 9]);
});

test('a row that came before the one that gave its value up is tried again, and again', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, 'a', 'one@example.com'), user(2, 'b'));
  // The other half of the move is in a partition that is not that far.
  await bench.apply(open, user(2, 'b', 'one@example.com'));
  expect(await refusedKeys()).toEqual([2]);
  const retry = () => withClient(bench.target, 'test', (client) => retryRefused(client));
  const later = () =>
    bench.query(`update tandem.quarantine set last_tried_at = now() - interval '1 day'`);
  expect(await retry()).toBe(0);
  await later();
  expect(await retry()).toBe(1);
  while (await open.applier.runJob());
  expect(await quarantine()).toMatchObject([{ key: 2, attempts: 2 }]);
  await bench.apply(open, user(1, 'a', null));
  await later();
  await retry();
  while (await open.applier.runJob());
  expect(await refusedKeys()).toEqual([]);
  expect(await appliedIds()).toEqual([1, 2]);
});

test('a unique value that moves from row to row in one batch refuses nobody', async () => {
  await using open = await bench.applier();
  const number = (id: number, number: string | null) =>
    put('instruction', { id, patient_id: 1, status: 1, number });
  await bench.apply(open, user(1, 'ada', 'a@x'), user(2, 'ben', 'b@x'), user(3, 'eva'));
  await bench.apply(open, put('patient', { id: 1, user_id: 1 }));
  await bench.apply(open, number(1, 'one'), number(2, 'two'), number(3, null));
  // Given to its new owner before it is taken from the old one, as the batch collapses.
  await bench.apply(
    open,
    user(3, 'eva', 'a@x'),
    user(1, 'ada', 'b@x'),
    user(2, 'ben'),
    number(3, 'one'),
    number(1, 'two'),
    number(2, null),
  );
  expect(await bench.query('select entity, root_key from tandem.quarantine')).toEqual([]);
  expect(await emails()).toEqual({ 1: 'b@x', 3: 'a@x' });
  expect(await bench.query('select number from orders order by id')).toEqual(
    ['two', null, 'one'].map((it) => ({ number: it })),
  );
});

test('two rows may swap a unique value where the target looks at the end, with a bad row beside', async () => {
  await using open = await bench.applier();
  await bench.apply(open, user(1, 'ada', 'a@x'), user(2, 'ben', 'b@x'));
  await bench.apply(
    open,
    user(1, 'ada', 'b@x'),
    user(3, SPECIAL_NAMES.refused),
    user(2, 'ben', 'a@x'),
  );
  expect(await refusedKeys()).toEqual([3]);
  expect(await emails()).toEqual({ 1: 'b@x', 2: 'a@x' });
});

test('rows that point at each other are all applied although one beside them is refused', async () => {
  await using open = await bench.applier();
  const office = (id: number, parent: number | null) =>
    put('office', { id, name: `office ${id}`, parent_id: parent });
  await bench.apply(
    open,
    office(1, 2),
    office(2, 3),
    office(3, 1),
    put('jaw', { id: 1, kind: 'k' }),
    put('instruction', { id: 1, patient_id: 1, status: 1, upper_jaw_id: 1 }),
    put('patient', { id: 1, user_id: 1, office_id: 3 }),
    user(1, 'ada'),
    user(2, SPECIAL_NAMES.refused),
  );
  expect(await refusedKeys()).toEqual([2]);
  expect(
    await bench.query(
      'select count(parent_id)::int as parents, count(*)::int as rows from offices',
    ),
  ).toEqual([{ parents: 3, rows: 3 }]);
  expect(await bench.query('select order_id is not null as ok from jaws')).toEqual([{ ok: true }]);
  expect(await bench.query('select upper_jaw_id is not null as ok from orders')).toEqual([
    { ok: true },
  ]);
  expect(await bench.query('select entity from tandem.unresolved')).toEqual([]);
});

test('an entity with too many refused rows stops; the others and the mirror go on', async () => {
  await using open = await bench.applier();
  const many = Array.from({ length: 120 }, (_, i) => user(i + 1, SPECIAL_NAMES.refused));
  await bench.apply(open, ...many, put('office', { id: 1, name: 'a' }));
  expect(await bench.query('select name, state from tandem.entity')).toEqual([
    { name: 'profile', state: 'stopped' },
  ]);
  expect(bench.notes.named('entity stopped')).toHaveLength(1);
  expect(await bench.query('select name from offices')).toEqual([{ name: 'a' }]);
  expect(await bench.query('select count(*)::int as n from legacy.auth_user')).toEqual([
    { n: 120 },
  ]);
  await bench.apply(open, user(200, 'ada'), put('office', { id: 2, name: 'b' }));
  expect(await appliedIds()).toEqual([]);
  expect(await bench.query('select count(*)::int as n from offices')).toEqual([{ n: 2 }]);
});

test('an entity whose map rejects too many stops, as one whose rows the target refuses', async () => {
  await using open = await bench.applier();
  const many = Array.from({ length: 51 }, (_, i) => user(i + 1, SPECIAL_NAMES.rejected));
  await bench.apply(open, ...many);
  expect(await bench.query('select name, state from tandem.entity')).toEqual([
    { name: 'profile', state: 'stopped' },
  ]);
});

test('that an entity stopped is forgotten when its batch is rolled back', async () => {
  // In the first attempt the profiles stop, then the office's commit is refused.
  await bench.query(
    'alter table offices add constraint once unique (name) deferrable initially deferred',
  );
  try {
    await using open = await bench.applier();
    const many = Array.from({ length: 51 }, (_, i) => user(i + 1, SPECIAL_NAMES.rejected));
    await bench.apply(
      open,
      ...many,
      user(60, 'ada'),
      put('office', { id: 1, name: 'a' }),
      put('office', { id: 2, name: 'a' }),
    );
    const [state] = await bench.query(`select state from tandem.entity where name = 'profile'`);
    const refused = await refusedKeys();
    // Either it is stopped and says so, or it went on; not silently neither.
    expect([state?.['state'], refused.length > 0]).toEqual(['stopped', true]);
    expect(await bench.query('select count(*)::int as n from offices')).toEqual([{ n: 1 }]);
  } finally {
    await bench.query('alter table offices drop constraint once');
  }
});

test('in a transaction in pieces and in a job refused rows are found too', async () => {
  await using open = await bench.applier({ maxRoots: 4 });
  const events = users(1, 20).map((event, i) =>
    i % 7 === 3 ? user(i + 1, SPECIAL_NAMES.refused) : event,
  );
  const pieces = [events.slice(0, 5), events.slice(5, 13), events.slice(13)];
  for (const [i, piece] of pieces.entries()) {
    await open.applier.apply(bench.batch(piece, { complete: i === 2 }));
  }
  expect(await refusedKeys()).toEqual([4, 11, 18]);
  expect(await appliedIds()).toHaveLength(17);
  // A job derives all of them again.
  await bench.query(`insert into tandem.job (entity, reason) values ('profile', 'test')`);
  await bench.query('delete from tandem.quarantine');
  expect(await bench.runJobs(open)).toBeGreaterThan(4);
  expect(await refusedKeys()).toEqual([4, 11, 18]);
});

test('a parent that somebody removed by hand is found missing, in a batch, in pieces and in a job', async () => {
  for (const way of ['batch', 'pieces', 'job']) {
    await bench.reset();
    await using open = await bench.applier();
    const patient = (note: string) => put('patient', { id: 1, user_id: 1, office_id: 1, note });
    await bench.apply(open, user(1, 'ada'), put('office', { id: 1, name: 'a' }), patient('old'));
    // The applier knows the office by now.
    await bench.query('update patients set office_id = null; delete from offices');
    if (way === 'batch') await bench.apply(open, patient('new'));
    if (way === 'pieces') {
      await open.applier.apply(bench.batch([patient('new')], { complete: false }));
      await open.applier.apply(bench.batch([]));
    }
    if (way === 'job') {
      await bench.query(`insert into tandem.job (entity, reason) values ('patient', 'test')`);
      await bench.runJobs(open);
    }
    expect([way, await bench.query('select entity, target_column from tandem.unresolved')]).toEqual(
      [way, [{ entity: 'patient', target_column: 'office_id' }]],
    );
    expect(await bench.query('select entity from tandem.quarantine')).toEqual([]);
  }
});
