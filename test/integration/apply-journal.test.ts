import { beforeEach, expect, test } from 'vitest';
import { addJob } from '../../consumers/jobs.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { SourceReader } from '../../core/ports.ts';
import { SPECIAL_STATUS } from '../harness/small-mapping.ts';
import { UNCHANGED, version, type LegacyRow, type SentRow } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

const order = (
  id: number,
  status: number,
  notes: string | typeof UNCHANGED | null = null,
): SentRow => ({
  id,
  patient_id: 1,
  status,
  notes,
});
const created = (id: number, status: number, at: number) =>
  bench.write('create', 'instruction', order(id, status), version(at));
const updated = (id: number, status: number, at: number, change = 0): ChangeEvent =>
  bench.write('update', 'instruction', order(id, status), version(at, change));
const parents = (): ChangeEvent[] => {
  const user: LegacyRow = { id: 1, name: 'ada' };
  return [
    bench.write('create', 'auth_user', user, version(1)),
    bench.write('create', 'patient', { id: 1, user_id: 1 }, version(1)),
  ];
};

/** `order from>to`, in the order they were appended. */
const entries = async () => {
  const rows = await bench.query(
    `select right(order_id::text, 4)::int || ' ' || from_status || '>' || to_status as entry
     from status_changes order by position`,
  );
  return rows.map((row) => row['entry']);
};

test('every change is appended in order: in one batch, in one transaction, in several', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2), created(2, 1, 2));
  await bench.apply(open, updated(1, 2, 3, 1), updated(1, 3, 3, 2), updated(2, 5, 3, 3));
  await bench.apply(open, updated(1, 3, 4), updated(1, 4, 5), updated(1, 1, 6));
  await bench.apply(open, updated(1, 2, 7));
  expect(await entries()).toEqual(['1 1>2', '1 2>3', '2 1>5', '1 3>4', '1 4>1', '1 1>2']);
  const times = await bench.query(
    'select changed_at::text as at from status_changes order by position',
  );
  expect(times.at(0)).toEqual({ at: '2024-01-01 00:00:03+00' });
});

test('a creation is no change, and neither is a row that was read', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await bench.apply(open, bench.write('read', 'instruction', order(1, 5), version(3)));
  expect(await entries()).toEqual([]);
  await bench.apply(open, updated(1, 6, 4));
  expect(await entries()).toEqual(['1 5>6']);
});

test('what happens in the batch that creates a row, and what is left out of an update, is seen', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2), updated(1, 2, 3));
  await bench.apply(open, bench.write('update', 'instruction', order(1, 3, UNCHANGED), version(4)));
  expect(await entries()).toEqual(['1 1>2', '1 2>3']);
});

test('a row that is deleted and inserted again inside a batch starts anew', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await bench.apply(
    open,
    updated(1, 2, 3),
    bench.remove('instruction', { id: 1 }, version(4)),
    created(1, 7, 5),
    updated(1, 8, 6),
  );
  expect(await entries()).toEqual(['1 1>2', '1 7>8']);
});

test('a redelivery appends nothing, whole or in part', async () => {
  await using open = await bench.applier();
  const first = [...parents(), created(1, 1, 2), updated(1, 2, 3)];
  const second = [updated(1, 3, 4), updated(1, 4, 5)];
  await bench.apply(open, ...first);
  await bench.apply(open, ...second);
  const once = await entries();
  expect(once).toEqual(['1 1>2', '1 2>3', '1 3>4']);
  await bench.apply(open, ...first);
  await bench.apply(open, ...second, ...first);
  await bench.apply(open, ...first, ...second);
  await bench.apply(open, second[0] ?? created(1, 1, 2));
  expect(await entries()).toEqual(once);
  await bench.apply(open, updated(1, 9, 6));
  expect(await entries()).toEqual([...once, '1 4>9']);
});

test('a late change appends nothing: neither against a newer row nor against a tombstone', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    ...parents(),
    bench.write('read', 'instruction', order(1, 5), version(9)),
  );
  await bench.apply(open, created(1, 1, 2), updated(1, 2, 3), updated(1, 3, 9));
  expect(await entries()).toEqual([]);
  await bench.apply(open, bench.remove('instruction', { id: 1 }, version(10)));
  await bench.apply(open, created(1, 1, 2), updated(1, 2, 3));
  expect(await entries()).toEqual([]);
});

test('before the copy is consistent nothing is appended', async () => {
  await bench.query(`update tandem.mirror set read_until = '0/5' where table_name = 'instruction'`);
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await bench.apply(open, updated(1, 2, 4), updated(1, 3, 5), updated(1, 4, 6));
  expect(await entries()).toEqual(['1 3>4']);
});

test('an entry whose order is not there waits, and is appended when it comes', async () => {
  await using open = await bench.applier();
  await bench.apply(open, created(1, 1, 2));
  await bench.apply(open, updated(1, 2, 3), updated(1, 3, 4));
  expect(await entries()).toEqual([]);
  expect(
    await bench.query(`select count(*)::int as n from tandem.held where entity = 'status_change'`),
  ).toEqual([{ n: 2 }]);
  // Delivered again it does not wait twice.
  await bench.apply(open, updated(1, 3, 4));
  await bench.apply(open, ...parents());
  await bench.runJobs(open);
  expect(await entries()).toEqual(['1 1>2', '1 2>3']);
  expect(await bench.query('select entity from tandem.held')).toEqual([]);
  expect(await bench.query('select entity from tandem.journal_waiting')).toEqual([]);
  await bench.apply(open, updated(1, 3, 4), updated(1, 4, 5));
  expect(await entries()).toEqual(['1 1>2', '1 2>3', '1 3>4']);
});

const leftOut = () =>
  bench.query(`select rule, count(*)::int as n from tandem.excluded
    where entity = 'status_change' group by rule`);
const waiting = async () => [
  ...(await bench.query(`select root_key from tandem.held where entity = 'status_change'`)),
  ...(await bench.query('select root_key from tandem.journal_waiting')),
];

test('changes of a row that one batch inserts and deletes wait for nothing: a rule leaves them out', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    ...parents(),
    created(1, 1, 2),
    updated(1, 2, 3),
    updated(1, 3, 4),
    bench.remove('instruction', { id: 1 }, version(5)),
    created(2, 1, 6),
    updated(2, 4, 7),
  );
  expect(await waiting()).toEqual([]);
  expect(await leftOut()).toEqual([{ rule: 'parent_deleted', n: 2 }]);
  expect(await entries()).toEqual(['2 1>4']);
});

test('an entry that waits is left out when its order is deleted before it ever had a row', async () => {
  await using open = await bench.applier();
  await bench.apply(open, created(1, 1, 2), created(2, 1, 2));
  await bench.apply(open, updated(1, 2, 3), updated(2, 2, 3));
  expect(await waiting()).toHaveLength(4);
  await bench.apply(open, bench.remove('instruction', { id: 1 }, version(4)));
  expect(await waiting()).toHaveLength(2);
  expect(await leftOut()).toEqual([{ rule: 'parent_deleted', n: 1 }]);
  await bench.apply(open, ...parents());
  await bench.runJobs(open);
  expect(await entries()).toEqual(['2 1>2']);
  expect(await waiting()).toEqual([]);
});

test('changes of a row that had one before it was deleted stay', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await bench.apply(open, updated(1, 2, 3), bench.remove('instruction', { id: 1 }, version(4)));
  expect(await entries()).toEqual(['1 1>2']);
  expect(await leftOut()).toEqual([]);
});

test('a job appends what waits and may be appended', async () => {
  await using open = await bench.applier();
  await bench.apply(open, created(1, 1, 2));
  await bench.apply(open, updated(1, 2, 3));
  const [entry] = await bench.query('select root_key from tandem.journal_waiting');
  const job = { entity: 'status_change', usage: null, reason: 'asked for' };
  const values = [String(entry?.['root_key'])];
  await addJob(open.client, { ...job, values });
  await bench.runJobs(open);
  expect(await waiting()).toHaveLength(2);
  // By another way than a batch, and without its patient.
  await bench.query(`begin; set local session_replication_role = replica;
    insert into orders (id, patient_id, status, has_states)
    select parent_id, parent_id, 1, false from tandem.held where entity = 'status_change'; commit`);
  await addJob(open.client, { ...job, values });
  await bench.runJobs(open);
  expect(await waiting()).toEqual([]);
  expect(await entries()).toEqual(['1 1>2']);
});

test('in pieces and in a batch that is tried again each change is appended once', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await open.applier.apply(bench.batch([updated(1, 2, 3, 1)], { complete: false }));
  await open.applier.apply(bench.batch([updated(1, 3, 3, 2), updated(1, 4, 3, 3)]));
  // The refused user has the batch tried twice.
  await bench.apply(
    open,
    updated(1, 5, 4),
    bench.write('create', 'auth_user', { id: 2, name: 'forbidden' }, version(4, 1)),
  );
  expect(await entries()).toEqual(['1 1>2', '1 2>3', '1 3>4', '1 4>5']);
});

test('a transaction with more changes than may be kept appends them as it goes, once, with its own orders', async () => {
  await using open = await bench.applier({ maxRoots: 4 });
  await bench.apply(open, ...parents());
  const rows = Array.from({ length: 6 }, (_, i) => i + 1);
  const pieces = [
    rows.map((id) => created(id, 1, 5)),
    ...[2, 3, 4].map((status) => rows.map((id) => updated(id, status, 5, status))),
  ];
  for (const piece of pieces) {
    expect(await open.applier.apply(bench.batch(piece, { complete: false }))).toBe(false);
  }
  // Nobody sees them yet.
  expect(await entries()).toEqual([]);
  await open.applier.apply(bench.batch([]));
  const steps = ['1>2', '2>3', '3>4'];
  expect(await entries()).toEqual(steps.flatMap((step) => rows.map((id) => `${id} ${step}`)));
  expect(await bench.query('select from tandem.journal_waiting')).toEqual([]);
});

test('a journal whose row the target refuses stops nobody', async () => {
  await using open = await bench.applier();
  await bench.query('alter table status_changes add constraint small check (to_status < 100)');
  try {
    await bench.apply(open, ...parents(), created(1, 1, 2));
    await bench.apply(open, updated(1, 200, 3), updated(1, 3, 4));
    expect(await bench.query('select status from orders')).toEqual([{ status: 3 }]);
    expect(await entries()).toEqual(['1 200>3']);
    expect(
      await bench.query('select entity, root_key, error_class from tandem.quarantine'),
    ).toEqual([
      { entity: 'status_change', root_key: '1 0/3 0/0', error_class: 'TARGET_REFUSED_ROW' },
    ]);
  } finally {
    await bench.query('alter table status_changes drop constraint small');
  }
});

test('a change that the journal rejects or throws on is in quarantine, the rest goes on', async () => {
  await using open = await bench.applier();
  await bench.apply(open, ...parents(), created(1, 1, 2));
  await bench.apply(
    open,
    updated(1, SPECIAL_STATUS.rejected, 3),
    updated(1, SPECIAL_STATUS.throws, 4),
    updated(1, 5, 5),
  );
  expect(await entries()).toEqual([`1 ${SPECIAL_STATUS.throws}>5`]);
  expect(
    await bench.query('select root_key, error_class from tandem.quarantine order by 1'),
  ).toEqual([
    { root_key: '1 0/3 0/0', error_class: 'MAPPING_REJECTED_ROW' },
    { root_key: '1 0/4 0/0', error_class: 'MAPPING_THREW' },
  ]);
});

test('through a log: a key change that is ahead of older updates of that key does not hide them', async () => {
  await using open = await bench.applier({ through: 'log' });
  const apply = (...events: ChangeEvent[]) => bench.applyFromLog(open, ...events);
  const gone = (at: number) => bench.remove('instruction', { id: 1 }, version(at));
  const moved = (id: number, status: number, at: number) =>
    bench.write('create', 'instruction', order(id, status), version(at), { id: 1 });
  await apply(...parents(), created(1, 1, 2));
  await apply(moved(2, 5, 6));
  await apply(updated(1, 2, 3), updated(1, 5, 4));
  expect(await entries()).toEqual(['1 1>2', '1 2>5']);
  await apply(gone(6));

  // Made again and moved away again, before either is seen here.
  await apply(moved(3, 4, 9));
  await apply(created(1, 3, 7), updated(1, 4, 8), gone(9), updated(3, 2, 10));
  const all = ['1 1>2', '1 2>5', '1 3>4', '3 4>2'];
  expect(await entries()).toEqual(all);
  expect(await bench.query('select from tandem.row_behind')).toEqual([]);

  // What comes again may be in any order.
  await apply(updated(1, 4, 8), created(1, 3, 7), updated(1, 2, 3), moved(2, 5, 6), gone(6));
  await apply(created(1, 1, 2));
  await apply(updated(1, 5, 4));
  expect(await entries()).toEqual(all);
  expect(await bench.query('select from tandem.row_behind')).toEqual([]);
});

test('through a log: a row that is read again hides no update that is still to come', async () => {
  let now: LegacyRow = { id: 2, patient_id: 1, status: 5, notes: 'large' };
  const table = bench.table('instruction');
  const reader: SourceReader = {
    readByKey: async () => ({
      lsn: version(20).commitLsn,
      rows: [table.columns.map(({ name }) => (now[name] == null ? null : String(now[name])))],
    }),
  };
  await using open = await bench.applier({ through: 'log', reader });
  const apply = (...events: ChangeEvent[]) => bench.applyFromLog(open, ...events);
  await apply(...parents(), bench.write('create', 'instruction', order(1, 1, 'large'), version(2)));
  // The large value did not come with the new key, so the row is read: it is further by then.
  const moved = bench.write('create', 'instruction', order(2, 1, UNCHANGED), version(6), { id: 1 });
  await apply(moved);
  await apply(updated(2, 3, 7), updated(2, 4, 8));
  await apply(updated(2, 5, 9));
  const all = ['2 1>3', '2 3>4', '2 4>5'];
  expect(await entries()).toEqual(all);
  await apply(updated(2, 3, 7), moved, updated(2, 5, 9));
  expect(await entries()).toEqual(all);

  // From there on the mirror follows its partition again.
  now = { ...now, status: 2 };
  await apply(updated(2, 0, 21), updated(2, 2, 22));
  expect(await entries()).toEqual([...all, '2 5>0', '2 0>2']);
});
