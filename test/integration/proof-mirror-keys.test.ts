import { expect, test } from 'vitest';
import { inShort, ProofBench } from './proof-bench.ts';

test('text keys that the source sorts in another way are compared', async () => {
  await using bench = await ProofBench.open(
    { word: { word: 'key', note: 'value' } },
    `create table word (word text collate "en-x-icu" primary key, note text);
     insert into word select case when i % 2 = 0 then 'é' when i % 3 = 0 then 'Z' else 'a-' end || i, i::text
       from generate_series(1, 1000) i;
     insert into word values ('', 'empty'), ('it''s "\\', 'quoted'), ('ß', 's'), ('ss', 's')`,
  );
  expect(await bench.verifyOne()).toMatchObject({ rows: 1004, ranges: 1, mismatches: [] });
  await bench.mirror(`update legacy.word set note = 'x' where word in ('é500', '');
    delete from legacy.word where word = 'ß'; insert into legacy.word values ('É500', 'x', '0/1')`);
  expect(inShort(await bench.verifyOne())).toEqual([
    ' different note',
    'É500 extra',
    'ß missing',
    'é500 different note',
  ]);
});

test('composite keys, of numbers and of texts, are compared', async () => {
  await using bench = await ProofBench.open(
    {
      pair: { a: 'key', b: 'key', note: 'value' },
      words: { one: 'key', two: 'key', note: 'value' },
    },
    `create table pair (a bigint, b int, note text, primary key (a, b));
     insert into pair select i / 30, i % 30, 'n' || i from generate_series(0, 999) i;
     create table words (one text, two date, note text, primary key (one, two));
     insert into words select 'w' || i % 10, date '2024-01-01' + i, 'n' from generate_series(0, 99) i`,
  );
  const clean = await bench.verify();
  expect(clean.tables).toMatchObject([
    { table: 'pair', rows: 1000, ranges: 11, mismatches: [] },
    { table: 'words', rows: 100, ranges: 1, mismatches: [] },
  ]);
  await bench.mirror(`delete from legacy.pair where (a, b) = (3, 10);
    update legacy.pair set note = 'x' where (a, b) = (33, 9);
    update legacy.words set two = two + 1000 where two = '2024-01-05'`);
  const { tables } = await bench.verify();
  expect(tables.map(inShort)).toEqual([
    ['33|9 different note', '3|10 missing'].sort(),
    ['w4|2024-01-05 missing', 'w4|2026-10-01 extra'],
  ]);
});

test.each([
  ['uuid', `('a0eebc99-9c0b-4ef8-bb6d-6bb9bd38' || lpad(to_hex(i), 4, '0'))::uuid`],
  ['timestamptz', `timestamptz '2024-03-31 00:00:00Z' + i * interval '1 minute'`],
  ['numeric', 'i / 8.0'],
  ['bytea', `decode(lpad(to_hex(i), 8, '0'), 'hex')`],
  ['mood', `(enum_range(null::mood))[1]`],
  ['varchar(10)', `'k' || i`],
  ['char(6)', `'k' || i`],
  ['boolean', 'false'],
])('keys of type %s are compared', async (type, value) => {
  const rows = ['mood', 'boolean'].includes(type) ? 1 : 250;
  await using bench = await ProofBench.open(
    { thing: { id: 'key', note: 'value' } },
    `create type mood as enum ('sad', 'so so');
     create table thing (id ${type} primary key, note text);
     insert into thing select ${value}, 'n' || i from generate_series(1, ${rows}) i`,
  );
  expect(await bench.verifyOne()).toMatchObject({ rows, mismatches: [], unsettledCount: 0 });
  const [{ key } = {}] = await bench.mirror(
    `update legacy.thing set note = null where id = (select id from legacy.thing order by id limit 1)
     returning id::text as key`,
  );
  expect(inShort(await bench.verifyOne())).toEqual([`${String(key)} different note`]);
});

test('names with quotes, capitals, spaces and letters of other alphabets are quoted', async () => {
  await using bench = await ProofBench.open(
    { 'odd "Name".Größe \'x\'': { 'Schlüssel "id"': 'key', "wert'": 'value', select: 'value' } },
    `create schema "odd ""Name""";
     create table "odd ""Name"""."Größe 'x'" ("Schlüssel ""id""" int primary key, "wert'" text, "select" int);
     insert into "odd ""Name"""."Größe 'x'" select i, 'w' || i, i from generate_series(1, 300) i`,
  );
  expect(await bench.verifyOne()).toMatchObject({ rows: 300, mismatches: [] });
  await bench.mirror(
    `update legacy."odd ""Name"".Größe 'x'" set "wert'" = 'x', "select" = null where "Schlüssel ""id""" = 150`,
  );
  expect(inShort(await bench.verifyOne())).toEqual([`150 different wert' select`]);
});
