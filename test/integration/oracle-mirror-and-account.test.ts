import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLegacySchema } from '../../demo/legacy/schema.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { accountLine, assertAccounted, checkAccount } from '../oracle/account.ts';
import { assertMirrorAgrees, compareMirror, mirrorDifferenceLines } from '../oracle/mirror.ts';

let pair: TestPair;

beforeAll(async () => {
  pair = await freshPair();
  await createLegacySchema(pair.source.connectionString);
  await pair.source.query(`
    insert into auth_user (id, password, is_superuser, username, first_name, last_name, email,
      is_staff, is_active, date_joined)
    select n, 'secret', false, 'user' || n, '', '', '', false, true, 'epoch'
    from generate_series(1, 4) as n;
    insert into dispatch_office (id, doctor_id, name, tax_rate, valid)
    values (1, 1, 'One', 7.5, true), (2, 2, null, 0, false)`);
});

afterAll(() => pair[Symbol.asyncDispose]());

beforeEach(async () => {
  await pair.target.query(`
    drop schema if exists legacy, tandem cascade;
    drop table if exists public.doctors;
    create schema legacy;
    create table legacy.auth_user (id integer primary key, username varchar(150),
      date_joined timestamptz, _commit_lsn pg_lsn, _change_lsn pg_lsn, _deleted boolean);
    create table legacy.dispatch_office (id integer primary key, doctor_id integer, name varchar,
      tax_rate numeric(7,4), _commit_lsn pg_lsn, _change_lsn pg_lsn, _deleted boolean);
    insert into legacy.auth_user
    select n, 'user' || n, 'epoch', '0/1', '0/0', n > 4 from generate_series(1, 5) as n;
    insert into legacy.dispatch_office values
      (1, 1, 'One', 7.5, '0/1', '0/0', false), (2, 2, null, 0, '0/1', '0/0', false);

    create schema tandem;
    create table tandem.entity (name text);
    create table tandem.held (entity text, root_key text, target_column text);
    create table tandem.quarantine (entity text, root_key text);
    create table tandem.excluded (entity text, root_key text, rule text);
    create table public.doctors (legacy_user_id integer, deleted_at timestamptz);
    insert into tandem.entity values ('doctor'), ('something_new');
    insert into public.doctors values (1, null), (5, now());
    insert into tandem.held values ('doctor', '2', 'a'), ('doctor', '2', 'b'), ('jaw', '9', 'a');
    insert into tandem.quarantine values ('doctor', '3');
    insert into tandem.excluded values ('doctor', '4', 'not_a_doctor')`);
});

async function mirrorDifferences(): Promise<string[]> {
  return mirrorDifferenceLines(await compareMirror(options()));
}

function options(): { sourceUrl: string; targetUrl: string } {
  return { sourceUrl: pair.source.connectionString, targetUrl: pair.target.connectionString };
}

test('a mirror agrees when its live rows are those of the source', async () => {
  const { tables, agrees } = await compareMirror(options());
  expect(agrees).toBe(true);
  expect(tables.map((it) => [it.table, it.sourceRows, it.liveRows])).toEqual([
    ['auth_user', 4, 4],
    ['dispatch_office', 2, 2],
  ]);
  await expect(assertMirrorAgrees(options())).resolves.toBeUndefined();
});

test.each([
  ['delete from legacy.auth_user where id = 3', ['legacy.auth_user: missing: 1 (3)']],
  [
    'update legacy.auth_user set _deleted = false where id = 5',
    ['legacy.auth_user: live without reason: 1 (5)'],
  ],
  [
    `update legacy.dispatch_office set name = ''`,
    [
      'legacy.dispatch_office: column name differs in 2 rows',
      'legacy.dispatch_office:   1.name: expected "One", found ""',
      'legacy.dispatch_office:   2.name: expected null, found ""',
    ],
  ],
  [
    'alter table legacy.dispatch_office alter tax_rate type numeric(7,1)',
    [
      'legacy.dispatch_office: column tax_rate differs in 2 rows',
      'legacy.dispatch_office:   1.tax_rate: expected "7.5000", found "7.5"',
      'legacy.dispatch_office:   2.tax_rate: expected "0.0000", found "0.0"',
    ],
  ],
])('the mirror differs after: %s', async (fault, found) => {
  await pair.target.query(fault);
  expect(await mirrorDifferences()).toEqual(found);
  await expect(assertMirrorAgrees(options())).rejects.toThrow(found[0]);
});

test('a mirror with a secret column does not agree, whatever is in it', async () => {
  await pair.target.query(
    `alter table legacy.auth_user add column password varchar;
     update legacy.auth_user set password = 'secret'`,
  );
  expect(await mirrorDifferences()).toEqual([
    'the mirror has the secret column auth_user.password',
  ]);
});

test('every live source row ended in one of four ways', async () => {
  const { entities, unknown } = await checkAccount(pair.target.connectionString);
  expect(entities.map(accountLine)).toEqual([
    'doctor: 4 = 1 applied + 1 held + 1 quarantined + 1 excluded',
  ]);
  expect(unknown).toEqual(['something_new']);
  await expect(assertAccounted(pair.target.connectionString)).resolves.toBeUndefined();
});

test.each([
  ['delete from tandem.excluded', '1 held + 1 quarantined + 0 excluded  wrong: 4'],
  ['update public.doctors set deleted_at = now()', 'doctor: 4 = 0 applied'],
  [
    `update tandem.excluded set root_key = '1'`,
    '4 = 1 applied + 1 held + 1 quarantined + 1 excluded  wrong: 1, 4',
  ],
  [`insert into tandem.quarantine values ('doctor', '77')`, '1 excluded  wrong: 77'],
])('the account does not add up after: %s', async (fault, line) => {
  await pair.target.query(fault);
  await expect(assertAccounted(pair.target.connectionString)).rejects.toThrow(line);
});
