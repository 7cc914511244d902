import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backfill, forgetDerived, remaining } from '../../backfill/backfill.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { resumeEntities } from '../../consumers/entity-state.ts';
import { Bench, version, type LegacyRow } from '../harness/apply-bench.ts';
import {
  expectedFrom,
  foundIn,
  mirrorOf,
  plainState,
  type LegacyState,
} from '../harness/small-expected.ts';
import { SPECIAL_NAMES } from '../harness/small-mapping.ts';
import { TARGET_TABLES } from '../harness/small-schema.ts';

let bench: Bench;
let definitions: unknown;
// A pair of its own for each: a failure may leave indexes set aside.
beforeEach(async () => {
  bench = await Bench.open();
  definitions = await indexesAndConstraints();
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** All of them, with what says that they are valid. */
const indexesAndConstraints = () =>
  bench.query(
    `select conname as name, pg_get_constraintdef(oid) as definition, convalidated as valid
       from pg_constraint where connamespace = 'public'::regnamespace
     union all
     select i.relname, pg_get_indexdef(x.indexrelid), x.indisvalid
       from pg_index x join pg_class i on i.oid = x.indexrelid
       where i.relnamespace = 'public'::regnamespace
     order by 1, 2`,
  );

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** Every case that a bulk derive can meet, so many of each. */
function world(n: number): LegacyState {
  const tables: Record<string, LegacyRow[]> = {
    auth_user: numbers(n).map((id) => ({
      id: id * 3,
      name:
        id % 17 === 0 ? SPECIAL_NAMES.rejected : id % 13 === 0 ? SPECIAL_NAMES.excluded : `u ${id}`,
      email: id % 4 === 0 ? `${id}@x` : null,
      last_login: null,
    })),
    office: numbers(n).map((id) => ({
      id,
      name: `office ${id}`,
      parent_id: id % 5 === 0 ? id + 1 : null,
    })),
    patient: numbers(n).map((id) => ({
      id,
      // Some of users that are not there, or not in the target.
      user_id: (1 + (id % (n + 2))) * 3,
      office_id: id % 3 === 0 ? null : id + 2,
      doctor_id: id % 4 === 0 ? 3 * (1 + (id % 9)) : null,
      note: `note ${id}`,
    })),
    jaw: numbers(n).map((id) => ({ id, kind: `kind ${id}` })),
    instruction: numbers(2 * n).map((id) => ({
      id,
      patient_id: 1 + (id % (n + 3)),
      status: id % 5,
      number: id % 2 === 0 ? `N ${id}` : null,
      notes: null,
      upper_jaw_id: id % 3 === 0 ? id : null,
      lower_jaw_id: id % 7 === 0 ? id + 1 : null,
    })),
    instruction_state: numbers(n).map((id) => ({
      id,
      instruction_id: 1 + (id % 11),
      status: id % 6,
      set_at: `2024-01-${String(1 + ((id * 7) % 28)).padStart(2, '0')} 10:00:00+00`,
    })),
    office_user: numbers(n).map((id) => ({ office_id: id % 7, user_id: 3 * id, label: `l ${id}` })),
    django_content_type: [
      { id: 1, app_label: 'dispatch', model: 'instruction' },
      { id: 2, app_label: 'dispatch', model: 'patient' },
      { id: 3, app_label: 'dispatch', model: 'jaw' },
    ],
    record: numbers(n).map((id) => ({
      id,
      content_type_id: 1 + (id % 4),
      object_id: id % 6 === 0 ? null : id * 2,
      body: `body ${id}`,
    })),
  };
  return new Map(
    Object.entries(tables).map(([name, rows]) => [
      name,
      new Map(
        rows.map((row) => [
          name === 'office_user'
            ? JSON.stringify([String(row['office_id']), String(row['user_id'])])
            : String(row['id']),
          row,
        ]),
      ),
    ]),
  );
}

async function fill(state: LegacyState): Promise<void> {
  for (const [name, rows] of state) await bench.insert(name, [...rows.values()]);
}

async function expectBackfilled(state: LegacyState): Promise<void> {
  expect(plainState((await mirrorOf(bench)).state)).toEqual(plainState(state));
  const { tombstones, ...found } = await foundIn(bench);
  expect(found).toEqual(expectedFrom(state, tombstones));
  expect(await bench.query('select entity, reason from tandem.job')).toEqual([]);
  expect(await bench.query('select name from tandem.set_aside')).toEqual([]);
  expect(await indexesAndConstraints()).toEqual(definitions);
  const client = await openClient(bench.target, 'test');
  try {
    expect(await remaining(client, bench.model)).toEqual({ tables: [], entities: [] });
  } finally {
    await client.end();
  }
}

/** Rows and lists, with what tells whether a row was written again. */
async function contents(columns: string): Promise<unknown> {
  const live = (table: string) =>
    table === 'office_profiles' || table === 'status_changes' ? '' : 'where t.deleted_at is null';
  const rows = await Promise.all(
    TARGET_TABLES.map((table) =>
      bench.query(`select ${columns} from ${table} as t ${live(table)} order by t.id`),
    ),
  );
  const lists = await Promise.all(
    ['held', 'unresolved', 'excluded', 'quarantine', 'yielded', 'issue'].map((list) =>
      bench.query(
        `select to_jsonb(t) - 'first_seen_at' - 'last_tried_at' - 'attempts' - 'source_commit_lsn' as line
         from tandem.${list} as t order by 1`,
      ),
    ),
  );
  return [rows, lists];
}

async function again(entities: readonly string[]): Promise<void> {
  const client = await openClient(bench.target, 'test');
  try {
    await forgetDerived(client, entities);
  } finally {
    await client.end();
  }
}

test('an empty source is backfilled', async () => {
  await backfill(bench.backfillContext());
  await expectBackfilled(new Map());
});

test('a backfill ends as the mapping of the source, with all indexes and foreign keys', async () => {
  const state = world(40);
  await fill(state);
  await backfill(bench.backfillContext());
  await expectBackfilled(state);
  const [row] = await bench.query(
    `select count(*)::int as n, count(distinct _commit_lsn::text)::int as versions from legacy.patient`,
  );
  expect(row).toEqual({ n: 40, versions: 1 });
});

test('a second backfill has nothing to do', async () => {
  const state = world(12);
  await fill(state);
  await backfill(bench.backfillContext());
  const before = await contents('t.*, xmin::text');
  await backfill(bench.backfillContext());
  expect(await contents('t.*, xmin::text')).toEqual(before);
});

test('derived again as jobs, beside the rows that are there, nothing changes', async () => {
  const state = world(30);
  await fill(state);
  await backfill(bench.backfillContext());
  const before = await contents('t.*, xmin::text');
  await again(bench.model.entities.map((entity) => entity.name));
  await backfill(bench.backfillContext());
  expect(await contents('t.*, xmin::text')).toEqual(before);
  await expectBackfilled(state);
});

test('jobs alone, into empty tables, make the same rows and lists as the bulk path', async () => {
  const state = world(30);
  await fill(state);
  await backfill(bench.backfillContext());
  const bulk = await contents(`to_jsonb(t) - 'updated_at' as row`);
  await bench.reset();
  await fill(state);
  await using open = await bench.applier();
  for (const [name, rows] of state) {
    await bench.apply(
      open,
      ...[...rows.values()].map((row) => bench.write('read', name, row, version(1))),
    );
  }
  await bench.runJobs(open);
  expect(await contents(`to_jsonb(t) - 'updated_at' as row`)).toEqual(bulk);
});

test('aborted anywhere and started again, it ends the same and copies each key once', async () => {
  const state = world(30);
  await fill(state);
  let interruptions = 0;
  for (let calls = 1; ; calls += 4) {
    const abort = new AbortController();
    let left = calls;
    const count = () => {
      if (--left === 0) abort.abort();
    };
    const observer = { event: count, progress: count, batch: count };
    try {
      await backfill(bench.backfillContext({ observer, signal: abort.signal }));
      break;
    } catch (error) {
      expect(error).toMatchObject({ name: 'AbortError' });
      interruptions++;
    }
  }
  expect(interruptions).toBeGreaterThan(3);
  await expectBackfilled(state);
});

const killAll = () =>
  bench.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'tandem%'`,
  );

test('killed anywhere and started again, it ends the same', async () => {
  const state = world(30);
  await fill(state);
  let interruptions = 0;
  for (let calls = 1; ; calls += 3) {
    let left = calls;
    let killing: Promise<unknown> = Promise.resolve();
    const count = () => {
      if (--left === 0) killing = pause((calls * 7) % 12).then(killAll);
    };
    const observer = { event: count, progress: count, batch: count };
    const error = await backfill(bench.backfillContext({ workers: 3, observer })).then(
      () => null,
      (error: unknown) => error,
    );
    await killing;
    if (error === null) break;
    expect(error).toMatchObject({ retry: 'timed' });
    interruptions++;
  }
  expect(interruptions).toBeGreaterThan(3);
  await expectBackfilled(state);
});

test('rows that the target refuses are in quarantine after a bulk derive, the rest is applied', async () => {
  const state = world(20);
  const users = state.get('auth_user');
  users?.set('3', { id: 3, name: SPECIAL_NAMES.refused, email: null });
  users?.set('6', { id: 6, name: SPECIAL_NAMES.tooLong, email: null });
  users?.set('9', { id: 9, name: SPECIAL_NAMES.leavesOut, email: null });
  users?.set('12', { id: 12, name: SPECIAL_NAMES.throws, email: null });
  await fill(state);
  await backfill(bench.backfillContext());
  await expectBackfilled(state);
});

test('two rows that must not share a value: one is applied after a bulk derive, one in quarantine', async () => {
  const state = world(20);
  state.get('auth_user')?.set('6', { id: 6, name: 'six', email: 'same@x' });
  state.get('auth_user')?.set('9', { id: 9, name: 'nine', email: 'same@x' });
  await fill(state);
  await backfill(bench.backfillContext());
  expect(await indexesAndConstraints()).toEqual(definitions);
  expect(
    await bench.query(
      `select root_key from tandem.quarantine where error_class = 'TARGET_REFUSED_ROW'`,
    ),
  ).toHaveLength(1);
  expect(
    await bench.query(`select count(*)::int as n from profiles where email = 'same@x'`),
  ).toEqual([{ n: 1 }]);
});

test('an entity that is new to a live target wakes those that waited for its rows', async () => {
  const state = world(20);
  await fill(state);
  await backfill(bench.backfillContext());
  // As if the mapping had had no offices: those who name one have waited.
  await again(['office']);
  await bench.query('truncate offices cascade');
  await again(bench.model.entities.map((entity) => entity.name));
  for (const entity of ['office']) {
    await bench.query(
      `update tandem.entity set state = 'paused', derived_at = now() where name = $1`,
      [entity],
    );
  }
  await backfill(bench.backfillContext());
  expect(await bench.query('select id from offices')).toEqual([]);
  await again(['office']);
  await backfill(bench.backfillContext());
  await expectBackfilled(state);
});

test('lists of an earlier life are gone after a bulk derive', async () => {
  const state = world(6);
  await fill(state);
  await bench.query(
    `insert into tandem.held (entity, root_key, target_table, target_id, target_column, parent_table,
       parent_entity, parent_key, parent_id)
     values ('patient', '2', 'patients', gen_random_uuid(), 'profile_id', 'profiles', 'profile', '1',
       gen_random_uuid())`,
  );
  await bench.query(
    `insert into tandem.quarantine (entity, root_key, source_table, source_commit_lsn,
       source_change_lsn, error_class, message)
     values ('office', '2', 'office', '0/0', '0/0', 'MAPPING_THREW', '')`,
  );
  await bench.query(`insert into tandem.excluded values ('office', '3', 'old')`);
  await backfill(bench.backfillContext());
  await expectBackfilled(state);
});

test('a mirror that holds rows is read again: stale ones change, vanished ones become tombstones, newer ones stay', async () => {
  const state = world(20);
  await fill(state);
  await backfill(bench.backfillContext());
  await bench.pair.source.query(
    `update office set name = 'changed' where id = 3; delete from office where id in (5, 12);
     insert into office values (900, 'new', null); update office_user set label = 'changed' where user_id = 9;
     delete from office_user where user_id = 12`,
  );
  await bench.query(`update legacy.office set name = 'newer', _commit_lsn = 'F00/0' where id = 7`);
  await bench.query('update tandem.mirror set loaded_at = null; delete from tandem.chunk');
  await again(bench.model.entities.map((entity) => entity.name));
  // The source goes on meanwhile, so that each range is read at another position.
  const write = () =>
    void bench.pair.source.query(`select pg_logical_emit_message(true, 'test', 'x')`);
  const observer = { event: write, progress: write, batch: write };
  await backfill(bench.backfillContext({ observer, workers: 1 }));
  const offices = state.get('office');
  offices?.set('3', { id: 3, name: 'changed', parent_id: null });
  offices?.set('7', { ...offices.get('7'), name: 'newer' });
  offices?.delete('5');
  offices?.delete('12');
  offices?.set('900', { id: 900, name: 'new', parent_id: null });
  for (const [key, link] of state.get('office_user') ?? []) {
    if (link['user_id'] === 9) state.get('office_user')?.set(key, { ...link, label: 'changed' });
    if (link['user_id'] === 12) state.get('office_user')?.delete(key);
  }
  await expectBackfilled(state);
});

test('an entity of which too much is refused stops in bulk too; the others are derived, and mended it resumes', async () => {
  const users = numbers(120).map((id) => ({
    id,
    name: id % 2 === 0 ? SPECIAL_NAMES.rejected : `u ${id}`,
  }));
  await bench.insert('auth_user', users);
  await bench.insert('office', [{ id: 1, name: 'north', parent_id: null }]);
  await backfill(bench.backfillContext());
  const [entity] = await bench.query(
    `select state, reason from tandem.entity where name = 'profile'`,
  );
  expect(entity).toMatchObject({ state: 'stopped' });
  expect(entity?.['reason']).toMatch(/^5[1-5] roots in quarantine$/);
  expect(bench.notes.named('entity stopped')).toMatchObject([{ entity: 'profile' }]);
  expect(await bench.query('select name from offices')).toEqual([{ name: 'north' }]);
  expect(await indexesAndConstraints()).toEqual(definitions);
  const client = await openClient(bench.target, 'test');
  try {
    expect(await remaining(client, bench.model)).toEqual({ tables: [], entities: [] });
    await bench.query(`update legacy.auth_user set name = 'mended' where id % 2 = 0`);
    await resumeEntities(client, ['profile']);
  } finally {
    await client.end();
  }
  await using open = await bench.applier();
  await bench.runJobs(open);
  expect(await bench.query('select count(*)::int as n from profiles')).toEqual([{ n: 120 }]);
  expect(await bench.query('select root_key from tandem.quarantine')).toEqual([]);
});
