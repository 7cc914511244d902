import { beforeEach, expect, test } from 'vitest';
import { proveAccount } from '../../proof/account/prove-account.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import { uuidOf } from '../../core/uuid.ts';
import { version, type LegacyRow } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { SMALL_MAPPING } from '../harness/small-mapping.ts';
import { faultLines, proofOf } from '../harness/target-proof.ts';
import { account } from '../../monitoring/account.ts';
import { openClient } from '../../connectors/postgres/connection.ts';

const bench = await benchForFile();
beforeEach(async () => {
  await bench.query('drop table if exists badges');
  await bench.reset();
  await bench.query(
    `insert into tandem.entity (name, derived_at) select unnest($1::text[]), now()`,
    [bench.model.entities.map(({ name }) => name)],
  );
});

let clock = 0;
const put = (table: string, row: LegacyRow): ChangeEvent =>
  bench.write('update', table, row, version(1, ++clock));
const remove = (table: string, key: LegacyRow): ChangeEvent =>
  bench.remove(table, key, version(1, ++clock));
const user = (id: number) => put('auth_user', { id, name: `user ${id}` });
const member = (id: number) => put('office_user', { office_id: 1, user_id: id, label: null });
const leaves = (id: number) => remove('office_user', { office_id: 1, user_id: id });
const people = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => [user(from + i), member(from + i)]).flat();
const idOfMember = (id: number) => uuidOf('office_profile', [1, id]);

const rows = async (table: string) =>
  (await bench.query(`select count(*)::int as n from ${table}`))[0]?.['n'];
const quarantine = () =>
  bench.query('select entity, root_key, error_class from tandem.quarantine order by 1, 2');

const stopped = () => bench.query(`select name, state from tandem.entity where state <> 'active'`);

/** A table of the new system whose rows refer to some of those that we write. */
async function badgesOf(when: string, ...members: number[]): Promise<void> {
  await bench.query(
    `create table badges (office_profile_id uuid references office_profiles (id) ${when})`,
  );
  for (const id of members) {
    await bench.query('insert into badges values ($1)', [idOfMember(id)]);
  }
}

/** What the proof finds to be wrong, and what the two accounts say. */
async function faults() {
  const signal = new AbortController().signal;
  const given = { target: bench.target, model: bench.model, signal, observer: bench.notes };
  const books = await proveAccount({ ...given, source: null, entities: null, maxListed: 5 });
  const client = await openClient(bench.target, 'account');
  const accounts = await account(client, SMALL_MAPPING).finally(() => client.end());
  return {
    target: faultLines(await proofOf(bench)),
    account: books.entities.filter((it) => !it.agrees).map((it) => it.entity),
    differences: accounts.filter((it) => it.difference !== 0).map((it) => it.entity),
  };
}

const WHEN = ['', 'deferrable initially immediate', 'deferrable initially deferred'];

test.each(WHEN)(
  'a row that others refer to and that cannot be removed stays, is listed, and stops nobody (%s)',
  async (when) => {
    await using open = await bench.applier();
    await bench.apply(open, put('office', { id: 1, name: 'a' }), ...people(1, 9));
    await badgesOf(when, 4, 7);
    await bench.apply(open, ...[3, 4, 5, 7].map(leaves), ...people(10, 12));
    expect(await rows('office_profiles')).toBe(10);
    expect(await quarantine()).toEqual(
      [4, 7].map((id) => ({
        entity: 'office_profile',
        root_key: `["1","${id}"]`,
        error_class: 'TARGET_REFUSED_REMOVAL',
      })),
    );
    expect(await faults()).toEqual({ target: [], account: [], differences: [] });

    await bench.query('delete from badges');
    await bench.query(
      `insert into tandem.job (entity, values, reason)
       select entity, array_agg(root_key), 'test' from tandem.quarantine group by entity`,
    );
    await bench.runJobs(open);
    expect(await rows('office_profiles')).toBe(8);
    expect(await quarantine()).toEqual([]);
  },
);

test.each(['', 'deferrable initially deferred'])(
  'a row that cannot be removed stops nothing of a transaction, in pieces neither (%s)',
  async (when) => {
    await using open = await bench.applier({ maxRoots: 20 });
    await bench.apply(open, put('office', { id: 1, name: 'a' }), ...people(1, 9));
    await badgesOf(when, 4);
    for (const isLarge of [false, true]) {
      const all = [leaves(4), ...people(20, 90), ...[1, 2].map(leaves)];
      if (isLarge) {
        const pieces = [all.slice(0, 30), all.slice(30, 90), all.slice(90)];
        for (const [i, piece] of pieces.entries()) {
          await open.applier.apply(bench.batch(piece, { complete: i === 2 }));
        }
      } else await bench.apply(open, ...all);
      expect(await rows('office_profiles')).toBe(9 - 2 + 71);
      expect((await quarantine()).map((row) => row['root_key'])).toEqual(['["1","4"]']);
    }
    expect(await stopped()).toEqual([]);
  },
);

/** At the commit: an office named `lonely` needs a member, one named `cursed` is refused. */
const TRIGGER = `
  create function need_member() returns trigger language plpgsql as $$
  begin
    if new.name = 'broken' then perform from no_such_table; end if;
    if new.name = 'cursed' or (new.name = 'lonely' and not exists (
      select from public.office_profiles where office_id = new.id)) then
      raise exception 'no';
    end if;
    return null;
  end $$;
  create constraint trigger need_member after insert or update on offices
    deferrable initially deferred for each row execute function need_member();`;
const NO_TRIGGER = 'drop trigger need_member on offices; drop function need_member()';

test('what a constraint trigger refuses at the commit is found; rows that need each other are not', async () => {
  await bench.query(TRIGGER);
  try {
    await using open = await bench.applier();
    const office = (id: number, name: string) => put('office', { id, name });
    const offices = Array.from({ length: 40 }, (_, i) => office(10 + i, `office ${i}`));
    await bench.apply(
      open,
      office(1, 'lonely'),
      office(2, 'cursed'),
      ...offices,
      office(3, 'cursed'),
      office(4, 'lonely'),
      ...people(1, 3),
    );
    expect((await quarantine()).map((row) => row['root_key'])).toEqual(['2', '3', '4']);
    expect(await rows('offices')).toBe(41);
    expect(await rows('office_profiles')).toBe(3);
    expect(await faults()).toEqual({ target: [], account: [], differences: [] });

    // Corrected in the source, they are applied.
    await bench.apply(open, office(2, 'fine'), office(3, 'fine'), office(4, 'fine'));
    expect(await quarantine()).toEqual([]);
  } finally {
    await bench.query(NO_TRIGGER);
  }
});

test('a trigger that fails on its own account is narrowed down as well', async () => {
  await bench.query(TRIGGER);
  try {
    await using open = await bench.applier();
    const office = (id: number, name: string) => put('office', { id, name });
    await bench.apply(open, office(1, 'fine'), office(2, 'broken'), office(3, 'fine'), user(1));
    expect((await quarantine()).map((row) => row['root_key'])).toEqual(['2']);
    expect([await rows('offices'), await rows('profiles')]).toEqual([2, 1]);
  } finally {
    await bench.query(NO_TRIGGER);
  }
});

test('an entity of which the commit refuses too much stops; the others go on', async () => {
  await bench.query(TRIGGER);
  try {
    await using open = await bench.applier();
    const cursed = Array.from({ length: 60 }, (_, i) =>
      put('office', { id: i + 1, name: 'cursed' }),
    );
    await bench.apply(open, ...cursed, user(1));
    expect(await stopped()).toEqual([{ name: 'office', state: 'stopped' }]);
    expect(await rows('profiles')).toBe(1);
  } finally {
    await bench.query(NO_TRIGGER);
  }
});

test('an entry of a journal that the commit would refuse is in quarantine alone', async () => {
  await bench.query(
    `create table changes_known (id uuid primary key);
     alter table status_changes add constraint known foreign key (id) references changes_known (id)
       deferrable initially deferred`,
  );
  try {
    await using open = await bench.applier();
    const order = (status: number) => put('instruction', { id: 1, patient_id: 1, status });
    await bench.apply(open, user(1), put('patient', { id: 1, user_id: 1 }), order(1));
    await bench.apply(open, order(2), user(2));
    expect(await rows('status_changes')).toBe(0);
    expect((await quarantine()).map((row) => row['entity'])).toEqual(['status_change']);
    expect(await bench.query('select status from orders')).toEqual([{ status: 2 }]);
    expect(await rows('profiles')).toBe(2);
  } finally {
    await bench.query('alter table status_changes drop constraint known; drop table changes_known');
  }
});
