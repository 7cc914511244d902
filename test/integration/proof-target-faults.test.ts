import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { acceptRoots } from '../../consumers/accepted.ts';
import { buildModel, type Model } from '../../consumers/model.ts';
import { entity } from '../../core/entity.ts';
import { ref, row } from '../../core/outcome.ts';
import { Bench, version } from '../harness/apply-bench.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';
import { faultLines, proofOf } from '../harness/target-proof.ts';

let bench: Bench;

/** Every outcome, every relation, rows that point at each other, and parents that are missing. */
beforeAll(async () => {
  bench = await Bench.open();
  await using open = await bench.applier();
  let commit = 100;
  const put = (table: string, ...rows: Record<string, string | number | null>[]) =>
    bench.apply(open, ...rows.map((it) => bench.write('create', table, it, version(commit++))));
  const NAMES = ['ada', 'ben', 'eva', 'robot', 'rejected', 'boom', 'forbidden', 'zoe', 'yan'];
  await put('auth_user', ...NAMES.map((name, i) => ({ id: i + 1, name, email: `${name}@x` })));
  await put(
    'office',
    { id: 1, name: 'north', parent_id: null },
    { id: 2, name: 's', parent_id: 9 },
  );
  await put(
    'patient',
    { id: 1, user_id: 1, office_id: 1, doctor_id: 2, note: 'a' },
    { id: 2, user_id: 2, office_id: 8, doctor_id: null, note: null },
    { id: 3, user_id: 77, office_id: 1, doctor_id: 2, note: 'held' },
    { id: 4, user_id: 3, office_id: 2, doctor_id: null, note: 'd' },
  );
  await put('jaw', { id: 1, kind: 'upper' }, { id: 2, kind: 'lower' });
  await put(
    'instruction',
    { id: 1, patient_id: 1, status: 1, number: 'n1', notes: 'x', upper_jaw_id: 1 },
    { id: 2, patient_id: 1, status: 2, number: 'n2', notes: 'y', lower_jaw_id: 7 },
    { id: 3, patient_id: 2, status: 2, number: 'n3', notes: 'z' },
  );
  await put('office_user', { office_id: 1, user_id: 1, label: 'l' }, { office_id: 1, user_id: 2 });
  const exact = { doc: '{"a": 1}', exact: '1.5', loose: '1.50', padded: 'ab', texts: '{a,NULL}' };
  await put('sample', { id: 1, ...exact, ratio: '0.1' }, { id: 2, ...exact, ratio: '-0' });
  // Two changes of a status: the journal has them.
  await bench.apply(
    open,
    bench.write(
      'update',
      'instruction',
      { id: 1, patient_id: 1, status: 5, number: 'n1', notes: 'x', upper_jaw_id: 1 },
      version(900),
    ),
  );
  await bench.apply(open, bench.remove('auth_user', { id: 9 }, version(901)));
  await bench.runJobs(open);
  await bench.query(
    `insert into tandem.entity (name, derived_at) select unnest($1::text[]), now()`,
    [bench.model.entities.map(({ name }) => name)],
  );
  await bench.query(`create schema backup`);
  await bench.query(
    `do $$ declare t record; begin
      for t in select schemaname as s, tablename as n from pg_tables where schemaname in ('public', 'tandem', 'legacy') loop
        execute format('create table backup.%I as table %I.%I', t.s || '_' || t.n, t.s, t.n);
      end loop; end $$`,
  );
});
afterEach(() =>
  bench.query(
    `do $$ declare t record; columns text; begin
      set local session_replication_role = replica;
      for t in select schemaname as s, tablename as n from pg_tables where schemaname in ('public', 'tandem', 'legacy') loop
        execute format('delete from %I.%I', t.s, t.n);
        execute format('insert into %I.%I overriding system value table backup.%I', t.s, t.n, t.s || '_' || t.n);
      end loop; end $$`,
  ),
);
afterAll(() => bench[Symbol.asyncDispose]());

const id = (identity: string, key: string) => `tandem.uuid_of('${identity}', ${key})`;
const NO_CHECKS = 'set local session_replication_role = replica;';

async function plant(sql: string): Promise<void> {
  const client = await bench.pair.target.client();
  await client.query(`begin; ${NO_CHECKS} ${sql}; commit`);
}

test('without a fault there is none, and every kind of outcome was there', async () => {
  const proof = await proofOf(bench);
  expect(faultLines(proof)).toEqual([]);
  expect([proof.agrees, proof.isSettled]).toEqual([true, true]);
  for (const list of ['held', 'unresolved', 'excluded', 'quarantine', 'yielded']) {
    const [row] = await bench.query(`select count(*)::int as n from tandem.${list}`);
    expect([list, Number(row?.['n']) > 0]).toEqual([list, true]);
  }
  expect(proof.journals).toMatchObject([
    { journal: 'status_change', rows: 1, keys: 1, waiting: 0 },
  ]);
  expect(JSON.parse(JSON.stringify(proof))).toEqual(proof);
});

test.each<[fault: string, sql: string, found: readonly string[]]>([
  [
    'a target row that is gone',
    `delete from samples where id = ${id('sample', '2')}`,
    ['sample missing 2 samples'],
  ],
  [
    'an extra row with an id of an entity, of no root that ever was',
    `insert into samples (id) values (${id('sample', '99')})`,
    ['sample extra - samples'],
  ],
  [
    'a row of a root that was deleted',
    `update profiles set deleted_at = null where id = ${id('profile', '9')}`,
    ['profile extra 9 profiles'],
  ],
  [
    'a row of a root that is excluded',
    `insert into profiles (id, legacy_id, name) values (${id('profile', '4')}, 4, 'robot')`,
    ['profile extra 4 profiles'],
  ],
  [
    'a row of a root that is held',
    `insert into patients (id, profile_id) values (${id('patient', '3')}, ${id('profile', '1')})`,
    ['patient extra 3 patients'],
  ],
  [
    'a replicated column that was changed',
    `update samples set exact = 1.6, doc = '{"a": 2}' where id = ${id('sample', '1')}`,
    ['sample different 1 samples exact doc'],
  ],
  [
    'a number that prints in another way, and the sign of a zero',
    `update samples set loose = 1.5, ratio = 0 where id = ${id('sample', '2')}`,
    ['sample different 2 samples loose ratio'],
  ],
  [
    'a column of the new system',
    `update profiles set colour = 'red', updated_at = '2000-01-01'`,
    [],
  ],
  [
    'deleted_at set',
    `update profiles set deleted_at = now() where id = ${id('profile', '8')}`,
    ['profile different 8 profiles deleted_at'],
  ],
  [
    'the values of two rows swapped',
    `update samples set ratio = -ratio - 0.1 where ratio is not null;
     update patients set note = case note when 'a' then 'd' else 'a' end where note in ('a', 'd')`,
    [
      'patient different 1 patients note',
      'patient different 4 patients note',
      'sample different 1 samples ratio',
      'sample different 2 samples ratio',
    ],
  ],
  [
    'a reference that points at another row',
    `update orders set patient_id = ${id('patient', '2')} where id = ${id('order', '1')}`,
    ['order different 1 orders patient_id'],
  ],
  [
    'a reference that is filled although its parent is not there',
    `update offices set parent_id = ${id('office', '9')} where id = ${id('office', '2')}`,
    ['office different 2 offices parent_id'],
  ],
  [
    'a held entry that is gone',
    `delete from tandem.held where entity = 'patient'`,
    ['patient held missing 3 profile_id'],
  ],
  [
    'an unresolved entry that waits for another parent',
    `update tandem.unresolved set parent_id = ${id('office', '1')} where entity = 'patient'`,
    ['patient unresolved different 2 office_id'],
  ],
  [
    'an excluded root under another rule, and one that is not excluded',
    `update tandem.excluded set rule = 'other' where entity = 'profile';
     insert into tandem.excluded values ('profile', '1', 'robot'), ('profile', '55', 'robot')`,
    [
      'profile excluded different 4 robot',
      'profile excluded extra 1 robot',
      'profile excluded extra 55',
    ],
  ],
  [
    'quarantine entries that are gone: rejected, threw, refused by the target',
    `delete from tandem.quarantine where entity = 'profile'`,
    [
      'profile missing 7 profiles',
      'profile quarantine missing 5 MAPPING_REJECTED_ROW',
      'profile quarantine missing 6 MAPPING_THREW',
    ],
  ],
  [
    'a quarantine entry of a root that is well',
    `insert into tandem.quarantine (entity, root_key, source_table, source_commit_lsn,
       source_change_lsn, error_class, message)
     values ('office', '1', 'office', '0/1', '0/1', 'MAPPING_REJECTED_ROW', 'x')`,
    ['office quarantine extra 1 MAPPING_REJECTED_ROW'],
  ],
  [
    'a mirror row that was changed behind the engine',
    `update legacy.office set name = 'east' where id = 1;
     update legacy.auth_user set name = 'bea' where id = 2`,
    [
      'office different 1 offices name',
      'order different 3 orders patient_name',
      'patient different 2 patients name',
      'profile different 2 profiles name',
    ],
  ],
  [
    'a mirror row that became a tombstone',
    `update legacy.jaw set _deleted = true, kind = null where id = 2`,
    ['jaw extra 2 jaws'],
  ],
  [
    'rows of a fan-out: changed, gone, on no record, on record of another root',
    `update summary_lines set status = 9 where id = ${id('summary_line', '1')};
     delete from summary_lines where id = ${id('summary_line', '2')};
     insert into summary_lines (id, patient_id) values (${id('summary_line', '70')}, ${id('patient', '1')});
     update tandem.yielded set root_key = '1' where target_id = ${id('summary_line', '3')}`,
    [
      'summary different 1 summary_lines status',
      'summary extra - summary_lines',
      'summary missing 1 summary_lines',
      'summary yielded extra 1 summary_lines',
      'summary yielded missing 2 summary_lines',
    ],
  ],
  [
    'rows with a composite key: changed, gone and extra',
    `update office_profiles set label = 'm' where id = ${id('office_profile', '1, 1')};
     delete from office_profiles where id = ${id('office_profile', '1, 2')};
     insert into office_profiles (id, office_id, profile_id)
       values (${id('office_profile', '2, 2')}, ${id('office', '1')}, ${id('profile', '1')})`,
    [
      'office_profile different ["1","1"] office_profiles label',
      'office_profile extra - office_profiles',
      'office_profile missing ["1","2"] office_profiles',
    ],
  ],
  [
    'a journal that lost its row, and an entry that waits for a parent that is there',
    `delete from status_changes;
     insert into tandem.journal_waiting values ('status_change', 'k', '{}');
     insert into tandem.journal_last values ('status_change', '400', now())`,
    ['status_change missing 1', 'status_change orphan 400', 'status_change waiting k'],
  ],
])('%s', async (_fault, sql, found) => {
  await plant(sql);
  const proof = await proofOf(bench);
  expect(faultLines(proof)).toEqual(found);
  expect(proof.agrees).toBe(found.length === 0);
});

test('refused roots that a person accepted are no fault, whatever had refused them', async () => {
  const client = await bench.pair.target.client();
  const found = await client.query<{ entity: string; error_class: string }>(
    'select entity, error_class from tandem.quarantine',
  );
  const codes = new Set(found.rows.map((line) => line.error_class));
  expect(codes).toContain('TARGET_REFUSED_ROW');
  expect(codes).toContain('MAPPING_REJECTED_ROW');
  for (const entity of new Set(found.rows.map((line) => line.entity))) {
    const all = { keys: null, code: null, reason: 'test accounts', isCounted: true };
    await acceptRoots(client, { entity, ...all });
  }
  const proof = await proofOf(bench);
  expect(faultLines(proof)).toEqual([]);
  expect([proof.agrees, proof.isSettled]).toEqual([true, true]);

  // Nobody has decided that this one is left out; and of that one nothing is left out any more.
  await client.query(
    `delete from tandem.accepted where entity = 'profile' and root_key = '5';
     delete from tandem.excluded where entity = 'profile' and root_key = '7'`,
  );
  const lines = faultLines(await proofOf(bench));
  expect(lines).toContain('profile excluded extra 5 accepted: MAPPING_REJECTED_ROW');
  expect(lines).toContain('profile excluded missing 7 accepted: TARGET_REFUSED_ROW');
});

test('rows of the new system are counted, and are no fault', async () => {
  await plant(
    `insert into offices (id, name) values (gen_random_uuid(), 'new'), (gen_random_uuid(), 'x')`,
  );
  const proof = await proofOf(bench);
  expect(faultLines(proof)).toEqual([]);
  expect(proof.tables.find(({ table }) => table === 'offices')).toEqual({
    table: 'offices',
    foreignRows: 2,
    seedRows: 0,
  });
});

test('a mapping that was changed without deriving again is found', async () => {
  const offices = SMALL_MAPPING.entities.find(({ name }) => name === 'office');
  if (offices?.kind !== 'derived') throw new Error('no offices');
  const changed = entity({
    name: 'office',
    target: 'offices',
    from: offices.shape as never,
    map: (office: { id: number; name: string; parent_id: number | null }) =>
      row({
        id: ref('office', office.id),
        name: office.name.toUpperCase(),
        parent_id: ref('office', office.parent_id),
      }),
  });
  const { model } = bench;
  const mapping = {
    ...SMALL_MAPPING,
    entities: SMALL_MAPPING.entities.map((it) => (it === offices ? changed : it)),
  };
  const other: Model = buildModel(mapping, [...model.mirror.values()], model.targets);
  const proof = await proofOf({ target: bench.target, notes: bench.notes, model: other });
  expect(faultLines(proof)).toEqual([
    'office different 1 offices name',
    'office different 2 offices name',
  ]);
});

test('values that the target cannot hold are found one by one, and the rest is compared', async () => {
  await plant(
    `update legacy.sample set exact = 'NaN', texts = null where id = 1;
     insert into legacy.sample (id, mood, _commit_lsn, _change_lsn)
       select n, 'unknown mood', '0/1', '0/1' from generate_series(10, 12) as n`,
  );
  expect(faultLines(await proofOf(bench, { pageRows: 100 }))).toEqual([
    'sample different 1 samples texts exact',
    'sample quarantine missing 10',
    'sample quarantine missing 11',
    'sample quarantine missing 12',
  ]);
});

test('what an open job will derive is pending; a paused entity is not judged', async () => {
  await plant(
    `update offices set name = 'old';
     update patients set note = 'old' where id = ${id('patient', '1')};
     insert into tandem.job (entity, values, reason) values ('office', '{2}', 'test');
     update tandem.entity set state = 'paused' where name = 'patient'`,
  );
  const proof = await proofOf(bench);
  expect(faultLines(proof)).toEqual([
    'office different 1 offices name',
    'office pending 2',
    'patient paused',
  ]);
  expect([proof.agrees, proof.isSettled, proof.openJobs]).toEqual([false, false, 1]);
});

test('only what was asked for is looked at, and lists are bounded while counts are exact', async () => {
  await plant(`update samples set wide = 'other'; update offices set name = 'other'`);
  const proof = await proofOf(bench, { entities: ['sample'], maxListed: 1 });
  expect(proof.entities.map(({ entity }) => entity)).toEqual(['sample']);
  expect(proof.entities[0]?.different).toMatchObject({ count: 2, first: [{ columns: ['wide'] }] });
});
