import { expect, test } from 'vitest';
import { readCatalog } from '../../connectors/postgres/catalog.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import {
  ensurePublication,
  planPublication,
  readPublication,
} from '../../connectors/postgres/publication.ts';
import { identifySource } from '../../connectors/postgres/source-identity.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { sourceAt } from './capture-harness.ts';

const open = (db: TestDatabase) => openClient(sourceAt(db.connectionString), 'test');

test('the catalogue tells columns, keys, foreign keys, indexes and identities', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create schema "Other"; create type "Other".mood as enum ('a');
    create domain label as varchar(5) not null; create domain sub as label;
    create table "Other"."Parent" ("Id" bigint generated always as identity primary key, code text unique);
    create table child (
      n int not null default 7, a int, b int, m "Other".mood, l sub, twice int generated always as (n * 2) stored,
      parent bigint references "Other"."Parent" on delete cascade deferrable initially deferred,
      primary key (b, a), constraint once unique (n) deferrable);
    create index child_n on child (lower(l)) where n > 0;
    alter table child enable row level security;
    alter table child add dropped int; alter table child drop dropped;
    create unlogged table plain (id int); alter table plain replica identity full`);
  const client = await open(db);
  const catalog = await readCatalog(client, 'source', [
    { schema: 'public', relation: 'child' },
    { schema: 'Other', relation: 'Parent' },
    { schema: 'public', relation: 'plain' },
    { schema: 'public', relation: 'nobody' },
  ]);
  await client.end();
  expect([...catalog.keys()].sort()).toEqual(['Other.Parent', 'public.child', 'public.plain']);
  const child = catalog.get('public.child');
  expect(child).toMatchObject({
    kind: 'table',
    rowSecurity: 'on',
    primaryKey: ['b', 'a'],
    replicaIdentity: { kind: 'default', columns: ['b', 'a'] },
    estimatedRows: -1,
    isUnlogged: false,
  });
  expect(child?.columns.map((it) => [it.name, it.type, it.mirrorType, it.baseKind])).toEqual([
    ['n', 'integer', 'integer', 'b'],
    ['a', 'integer', 'integer', 'b'],
    ['b', 'integer', 'integer', 'b'],
    ['m', '"Other".mood', 'text', 'e'],
    ['l', 'public.sub', 'character varying(5)', 'b'],
    ['twice', 'integer', 'integer', 'b'],
    ['parent', 'bigint', 'bigint', 'b'],
  ]);
  expect(child?.columns[0]).toMatchObject({ isNotNull: true, hasDefault: true });
  expect(child?.columns[4]).toMatchObject({ isDomain: true });
  expect(child?.columns[5]).toMatchObject({ isGenerated: true });
  expect(child?.keys).toEqual([
    { name: 'child_pkey', kind: 'primary', columns: ['b', 'a'], isDeferrable: false },
    { name: 'once', kind: 'unique', columns: ['n'], isDeferrable: true },
  ]);
  expect(child?.foreignKeys).toMatchObject([
    {
      columns: ['parent'],
      target: { schema: 'Other', relation: 'Parent' },
      targetColumns: ['Id'],
      isDeferrable: true,
      isInitiallyDeferred: true,
      onDelete: 'cascade',
    },
  ]);
  expect(child?.indexes.map((it) => [it.name, it.isUnique, it.isOfConstraint])).toEqual([
    ['child_n', false, false],
    ['child_pkey', true, true],
    ['once', true, true],
  ]);
  expect(catalog.get('Other.Parent')?.columns[0]).toMatchObject({ name: 'Id', isIdentity: true });
  expect(catalog.get('public.plain')).toMatchObject({
    isUnlogged: true,
    primaryKey: [],
    replicaIdentity: { kind: 'full', columns: ['id'] },
  });
});

test('missing tables and columns are all named at once', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key, x int generated always as (id) stored)');
  const client = await open(db);
  const wanted = new Map([
    ['note', { key: ['id'], columns: ['body', 'x'] }],
    ['gone', { key: ['id'], columns: [] }],
    ['other.gone', { key: ['id'], columns: [] }],
  ]);
  await expect(mirrorTables(client, wanted)).rejects.toMatchObject({
    code: 'TABLE_MISSING',
    details: {
      missing: 'note.body, note.x (generated columns are not replicated), gone, other.gone',
    },
  });
  await client.end();
});

test('a publication is made, mended and then left alone', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table one (id int primary key, secret text, body text);
    create table two (id int, secret text, body text not null, rest int);
    create unique index two_key on two (id, rest) ;
    alter table two alter id set not null, alter rest set not null;
    alter table two replica identity using index two_key;
    create table full_one (id int primary key, secret text);
    alter table full_one replica identity full; create table extra (id int primary key)`);
  const client = await open(db);
  const { serverVersion } = await identifySource(client);
  const wanted = new Map([
    ['one', { key: ['id'], columns: ['body'] }],
    ['two', { key: ['id'], columns: ['body'] }],
    ['full_one', { key: ['id'], columns: [] }],
  ]);
  const tables = [...(await mirrorTables(client, wanted)).values()];
  const [one] = tables;
  if (one === undefined) throw new Error('no table');
  const whole = { name: 'a "pub"', tables, serverVersion };
  await ensurePublication(client, { ...whole, tables: [one] });
  expect(await planPublication(client, whole)).toEqual([
    expect.stringMatching(/^alter publication "a ""pub""" add table "public"."two"/),
  ]);
  await ensurePublication(client, whole);
  expect(await ensurePublication(client, whole)).toEqual([]);

  const lists = serverVersion >= 150_000;
  await db.query(`alter publication "a ""pub""" set (publish = 'insert');
    alter publication "a ""pub""" drop table one; alter publication "a ""pub""" add table one, extra`);
  const statements = await ensurePublication(client, whole);
  expect(statements).toHaveLength(lists ? 3 : 1);
  const present = await readPublication(client, whole.name);
  const table = (relation: string, columns: readonly string[]) => ({
    schema: 'public',
    relation,
    columns: lists ? columns : null,
    hasRowFilter: false,
  });
  expect(present).toEqual({
    isForAllTables: false,
    publishesAll: true,
    isViaRoot: false,
    tables: [
      { ...table('extra', []), columns: null },
      { ...table('full_one', []), columns: null },
      table('one', ['body', 'id']),
      table('two', ['body', 'id', 'rest']),
    ],
  });
  expect(await ensurePublication(client, whole)).toEqual([]);
  expect(await readPublication(client, 'nobody')).toBeNull();
  await client.end();
});

test('a publication for all tables is taken as it is', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table one (id int primary key); create publication every for all tables');
  const client = await open(db);
  const wanted = new Map([['one', { key: ['id'], columns: [] }]]);
  const tables = [...(await mirrorTables(client, wanted)).values()];
  const { serverVersion } = await identifySource(client);
  expect(await ensurePublication(client, { name: 'every', tables, serverVersion })).toEqual([]);
  await client.end();
});
