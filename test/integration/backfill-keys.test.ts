import { afterEach, beforeEach, expect, test } from 'vitest';
import { backfill, forgetDerived } from '../../backfill/backfill.ts';
import { openClient } from '../../connectors/postgres/connection.ts';
import { entity, type Mapping } from '../../core/entity.ts';
import { int4, int8, text, uuid } from '../../core/legacy-table.ts';
import { held, ref, row, type Ref } from '../../core/outcome.ts';
import { legacyTable } from '../../core/shape.ts';
import type { LegacyKey } from '../../core/uuid.ts';
import { Bench, version } from '../harness/apply-bench.ts';

/** Every form of key, each with a parent that it must have and one that it may have. */
const COLUMNS = { must: int4, may: int4 } as const;
const KINDS = {
  word: legacyTable('word', 'word', { word: text, ...COLUMNS }),
  code: legacyTable('code', 'code', { code: uuid, ...COLUMNS }),
  big: legacyTable('big', 'id', { id: int8, ...COLUMNS }),
  pair: legacyTable('pair', ['a', 'b'], { a: int8, b: int8, ...COLUMNS }),
  words: legacyTable('words', ['one', 'two'], { one: text, two: text, ...COLUMNS }),
} as const;
const place = legacyTable('place', 'id', { id: int4, note: text.orNull });
const mood = legacyTable('mood', 'id', { id: int4, place_id: int4 });

const parents = (row: { must: number; may: number }) => ({
  must_id: ref('place', row.must),
  may_id: ref('place', row.may),
});
const child = (id: Ref, row: { must: number; may: number }) => ({ id, ...parents(row) });
const key = (name: string, key: LegacyKey) => ref(name, key);

const MAPPING: Mapping = {
  name: 'keys',
  migrations: null,
  entities: [
    entity({
      name: 'word',
      target: 'words',
      from: KINDS.word.select('must', 'may'),
      map: (it) => row(child(key('word', it.word), it)),
    }),
    entity({
      name: 'code',
      target: 'codes',
      from: KINDS.code.select('must', 'may'),
      map: (it) => row(child(key('code', it.code), it)),
    }),
    entity({
      name: 'big',
      target: 'bigs',
      from: KINDS.big.select('must', 'may'),
      map: (it) => row(child(key('big', it.id), it)),
    }),
    entity({
      name: 'pair',
      target: 'pairs',
      from: KINDS.pair.select('must', 'may'),
      map: (it) => row(child(key('pair', [Number(it.a), Number(it.b)]), it)),
    }),
    entity({
      name: 'words',
      target: 'two_words',
      from: KINDS.words.select('must', 'may'),
      map: (it) => row(child(key('words', JSON.stringify([it.one, it.two])), it)),
    }),
    entity({
      name: 'place',
      target: 'places',
      from: place.select('note'),
      map: (it) =>
        row({ id: ref('place', it.id), note: it.note, updated_at: '2020-02-02 00:00:00+00' }),
    }),
    entity({
      name: 'mood',
      target: 'moods',
      from: mood
        .select('place_id')
        .with((on) => ({ place: on.one('place_id', place.select('id')) })),
      // Says itself that it waits.
      map: (it) =>
        it.place === null
          ? held('place', ref('place', it.place_id))
          : row({ id: ref('mood', it.id), place_id: it.place_id }),
    }),
  ],
};

const LEGACY = `
  create table place (id int primary key, note text);
  create table mood (id int primary key, place_id int not null);
  create table word (word text collate "en-x-icu" primary key, must int not null, may int not null);
  create table code (code uuid primary key, must int not null, may int not null);
  create table big (id bigint primary key, must int not null, may int not null);
  create table pair (a bigint, b bigint, must int not null, may int not null, primary key (a, b));
  create table words (one text, two text, must int not null, may int not null, primary key (one, two));`;
const CHILDREN = ['words', 'codes', 'bigs', 'pairs', 'two_words'];
const TARGET = [
  `create table places (id uuid primary key, note text, updated_at timestamptz, deleted_at timestamptz)`,
  `create table moods (id uuid primary key, place_id int, deleted_at timestamptz)`,
  ...CHILDREN.map(
    (name) => `create table ${name} (id uuid primary key,
      must_id uuid not null references places (id), may_id uuid references places (id),
      deleted_at timestamptz)`,
  ),
].join(';');

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open({ mapping: MAPPING, legacy: LEGACY, target: TARGET });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const marks = async (list: string) =>
  (
    await bench.query(`select entity || ' ' || root_key as mark from tandem.${list} order by 1`)
  ).map((row) => row['mark']);

test('roots with any form of key are found again when their parents are missing', async () => {
  await bench.insert('place', [{ id: 1, note: null }]);
  const A = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1';
  const rows = (keys: readonly Record<string, string | number>[]) =>
    keys.map((key, i) => ({ ...key, must: i === 1 ? 9 : 1, may: i === 2 ? 9 : 1 }));
  await bench.insert('word', rows([{ word: 'a' }, { word: "it's" }, { word: 'Z"' }]));
  await bench.insert('code', rows([{ code: `${A}1` }, { code: `${A}2` }, { code: `${A}3` }]));
  await bench.insert(
    'big',
    rows([{ id: 1 }, { id: '9007199254740993' }, { id: '9007199254740995' }]),
  );
  await bench.insert(
    'pair',
    rows([
      { a: 1, b: 1 },
      { a: 1, b: 2 },
      { a: 2, b: 1 },
    ]),
  );
  await bench.insert(
    'words',
    rows([
      { one: 'a', two: 'b' },
      { one: 'a,', two: '"b' },
      { one: '', two: '' },
    ]),
  );
  await bench.insert('mood', [
    { id: 1, place_id: 1 },
    { id: 2, place_id: 9 },
  ]);
  await backfill(bench.backfillContext());
  const heldMarks = [
    'big 9007199254740993',
    `code ${A}2`,
    'mood 2',
    'pair ["1","2"]',
    "word it's",
    'words ["a,","\\"b"]',
  ];
  const openMarks = [
    'big 9007199254740995',
    `code ${A}3`,
    'pair ["2","1"]',
    'word Z"',
    'words ["",""]',
  ];
  expect(await marks('held')).toEqual(heldMarks.sort());
  expect(await marks('unresolved')).toEqual(openMarks.sort());
  for (const table of CHILDREN) {
    const [row] = await bench.query(
      `select count(*)::int as n, count(may_id)::int as may from ${table}`,
    );
    expect([table, row]).toEqual([table, { n: 2, may: 1 }]);
  }
  // The parent releases and completes all of them.
  await using open = await bench.applier();
  await bench.apply(open, bench.write('create', 'place', { id: 9 }, version(10)));
  await bench.runJobs(open);
  expect([...(await marks('held')), ...(await marks('unresolved'))]).toEqual([]);
  for (const table of CHILDREN) {
    const [row] = await bench.query(
      `select count(*)::int as n, count(may_id)::int as may from ${table}`,
    );
    expect([table, row]).toEqual([table, { n: 3, may: 3 }]);
  }
});

test('a table whose keys the source sorts in another way is read again without losing a row', async () => {
  const words = ['a', 'A', 'b', 'B', 'c', 'C', 'd', 'D', 'e', 'E', 'ä', 'Ä', 'z', 'Z', '_', '1'];
  await bench.insert('place', [{ id: 1, note: null }]);
  await bench.insert(
    'word',
    words.map((word) => ({ word, must: 1, may: 1 })),
  );
  await backfill(bench.backfillContext({ chunkRows: 3, portionRows: 2 }));
  await bench.pair.source.query(`delete from word where word in ('B', 'ä')`);
  await bench.query('update tandem.mirror set loaded_at = null; delete from tandem.chunk');
  const client = await openClient(bench.target, 'test');
  await forgetDerived(client, ['word']);
  await client.end();
  await backfill(bench.backfillContext({ chunkRows: 3, portionRows: 2 }));
  const rows = await bench.query('select word from legacy.word where not _deleted');
  const left = words.filter((word) => word !== 'B' && word !== 'ä');
  expect(rows.map((row) => String(row['word'])).sort()).toEqual(left.sort());
  expect(
    await bench.query('select count(*)::int as n from words where deleted_at is null'),
  ).toEqual([{ n: left.length }]);
});

test('a mapping may write updated_at itself', async () => {
  await using open = await bench.applier();
  for (const n of [1, 2]) {
    await bench.apply(
      open,
      bench.write('update', 'place', { id: 1, note: `note ${n}` }, version(n)),
    );
    expect(await bench.query('select note, updated_at::date::text as day from places')).toEqual([
      { note: `note ${n}`, day: '2020-02-02' },
    ]);
  }
});

test('marks of a mapping that has changed since do not keep the backfill from ending', async () => {
  await bench.insert('mood', [{ id: 2, place_id: 9 }]);
  for (const table of ['', 'gone', 'other.gone']) {
    await bench.query(
      `insert into tandem.held (entity, root_key, target_table, target_id, target_column,
         parent_table, parent_entity, parent_key, parent_id)
       values ('gone', $1, 'gone', gen_random_uuid(), 'x', $1, 'gone', '1', gen_random_uuid())`,
      [table],
    );
  }
  await backfill(bench.backfillContext());
  expect(await marks('held')).toContain('mood 2');
});
