import { expect, test } from 'vitest';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { agreeOnHashing, hashOf } from '../../proof/mirror/row-hash.ts';
import type { Bench } from '../harness/apply-bench.ts';
import { freshDatabase } from '../harness/database.ts';
import { inShort, ProofBench } from './proof-bench.ts';

const VALUES: Readonly<Record<string, { type: string; value: string; other: string }>> = {
  nan: { type: 'float8', value: `'NaN'`, other: `0` },
  infinite: { type: 'float8', value: `'Infinity'`, other: `'-Infinity'` },
  ratio: { type: 'float8', value: `0.1::float8 + 0.2::float8`, other: `0.3` },
  zero: { type: 'float8', value: `'-0'`, other: `'0'` },
  small: { type: 'real', value: `1e-30`, other: `1.0000001e-30` },
  ratios: { type: 'float8[]', value: `'{NaN,0.1,-0,NULL}'`, other: `'{NaN,0.1,0,NULL}'` },
  loose: { type: 'numeric', value: `1.10`, other: `1.1` },
  wide: { type: 'numeric', value: `'NaN'`, other: `'0'` },
  blob: { type: 'bytea', value: `'\\x00ff10'`, other: `'\\x00ff11'` },
  doc: { type: 'jsonb', value: `'{"b":1.0,"a":[null]}'`, other: `'{"b":1,"a":[null]}'` },
  raw: { type: 'json', value: `'{"a": 1}'`, other: `'{"a":1}'` },
  texts: { type: 'text[]', value: `'{NULL,"NULL","",a}'`, other: `'{"NULL",NULL,"",a}'` },
  grid: { type: 'int[]', value: `'{{1,2},{3,4}}'`, other: `'{1,2,3,4}'` },
  seen: {
    type: 'timestamptz',
    value: `'2024-03-31 02:30:00.000001+01'`,
    other: `'2024-03-31 02:30:00+01'`,
  },
  wall: { type: 'timestamp', value: `'infinity'`, other: `'-infinity'` },
  day: { type: 'date', value: `'0044-03-15 BC'`, other: `'0044-03-15'` },
  span: { type: 'interval', value: `'1 mon -3 days 04:05:06.7'`, other: `'27 days 04:05:06.7'` },
  padded: { type: 'char(5)', value: `'ab'`, other: `'ac'` },
  dash: { type: 'text', value: `'-'`, other: 'null' },
  unicode: { type: 'text', value: `U&'e\\0301 \\+01F600'`, other: `U&'\\00e9 \\+01F600'` },
  quoted: { type: 'text', value: `E'\\\\ \\' " , ( ) \\n'`, other: `E'\\\\ \\' " , ( )\\n'` },
  mood: { type: 'mood', value: `'so so'`, other: `'sad'` },
  moods: { type: 'mood[]', value: `'{"so so",sad}'`, other: `'{sad,"so so"}'` },
  short: { type: 'short_text', value: `'ab'`, other: `'ab '` },
  pair: { type: 'two', value: `'(1,"a b")'`, other: `'(1,a)'` },
  flag: { type: 'boolean', value: 'true', other: 'false' },
  bits: { type: 'bit varying(5)', value: `B'010'`, other: `B'0100'` },
  place: { type: 'point', value: `'(0.1,1e300)'`, other: `'(0.1,1e299)'` },
  few: { type: 'smallint', value: '-1', other: '1' },
  // The server's own hash of a bigint is the same for both.
  many: { type: 'bigint', value: '0', other: '4294967297' },
  minus: { type: 'bigint', value: '-1', other: '-4294967298' },
  ident: {
    type: 'uuid',
    value: `'6f2c1f0a-0000-8000-8000-00000000002a'`,
    other: `'6f2c1f0a-0000-8000-8000-00000000002b'`,
  },
  exact: { type: 'numeric(10,2)', value: '1.10', other: '1.11' },
  rounded: { type: 'timestamp(3)', value: `'2024-03-31 02:30:00.001'`, other: `'infinity'` },
  whole: { type: 'whole_number', value: '3', other: '4' },
  price: { type: 'money', value: `1.5`, other: `2.5` },
};
const NAMES = Object.keys(VALUES);
const DDL = `
  create type mood as enum ('sad', 'so so');
  create domain short_text as varchar(20);
  create domain whole_number as bigint check (value > 0);
  create type two as (a int, b text);
  create table odd (id int primary key, ${NAMES.map((name) => `${name} ${VALUES[name]?.type}`).join(', ')});`;

/** Rows of the source: all values, all nulls, and one more that each test may change. */
const ROWS = `insert into odd values (1, ${NAMES.map((name) => `${VALUES[name]?.value}`).join(', ')});
  insert into odd (id) values (2); insert into odd select 3, ${NAMES.join(', ')} from odd where id = 1`;

const columns = {
  id: 'key',
  ...Object.fromEntries(NAMES.map((name) => [name, 'value' as const])),
} as const;

/** A role that the source shows its values to in other forms than the target does. */
const otherForms = async ({ pair }: Bench) => {
  for (const setting of [
    `datestyle = 'German, DMY'`,
    `intervalstyle = 'iso_8601'`,
    `timezone = 'Asia/Kathmandu'`,
    'extra_float_digits = 0',
    `bytea_output = 'escape'`,
    'standard_conforming_strings = off',
  ]) {
    await pair.source.query(`alter database ${pair.source.name} set ${setting}`);
  }
};

test('values of every kind agree, whatever forms the source is set to', async () => {
  await using bench = await ProofBench.open({ odd: columns }, DDL + ROWS, otherForms);
  const proof = await bench.verifyOne();
  expect({ ...proof, short: inShort(proof) }).toMatchObject({
    rows: 3,
    short: [],
    unsettledCount: 0,
  });
  expect(bench.bench.notes.named('verified')).toMatchObject([{ rows: 3, mismatches: 0 }]);
});

test('a change of any of them is found, by its column', async () => {
  await using bench = await ProofBench.open({ odd: columns }, DDL + ROWS);
  for (const name of NAMES) {
    await bench.source(`update odd set ${name} = ${VALUES[name]?.other} where id = 3`);
    expect(inShort(await bench.verifyOne()), name).toEqual([`3 different ${name}`]);
    await bench.source(
      `update odd set ${name} = (select ${name} from odd where id = 1) where id = 3`,
    );
  }
  expect(inShort(await bench.verifyOne())).toEqual([]);
});

test('servers that hash in another way, or print floats in another, agree and differ all the same', async () => {
  await using bench = await ProofBench.open({ odd: columns }, DDL + ROWS);
  const [source, target] = [
    await openClient(bench.bench.source, 'test'),
    await openClient(bench.bench.target, 'test'),
  ];
  const table = bench.bench.table('odd');
  expect(await agreeOnHashing(source, target)).toEqual({ kind: 'hash64', floats: 'printed' });
  for (const kind of ['hash64', 'md5'] as const) {
    for (const floats of ['printed', 'bits'] as const) {
      const hashing = { kind, floats };
      const read = (client: typeof source, side: 'source' | 'target', from: string) =>
        textRows(
          client,
          `select ${hashOf(table.columns, side, hashing, 5)} from ${from} order by id`,
        );
      const ours = await read(source, 'source', 'public.odd');
      expect(await read(target, 'target', 'legacy.odd'), `${kind} ${floats}`).toEqual(ours);
      expect(new Set(ours.map(([hash]) => hash)).size).toBe(3);
      for (const name of NAMES) {
        await source.query('begin');
        await source.query(`set local search_path = public`);
        await source.query(`update odd set ${name} = ${VALUES[name]?.other} where id = 3`);
        const changed = await read(source, 'source', 'public.odd');
        await source.query('rollback');
        expect(changed[2], `${kind} ${floats} ${name}`).not.toEqual(ours[2]);
      }
    }
  }
  await Promise.all([source.end(), target.end()]);
});

test('each bit of a sum can tell that two rows have swapped a value', async () => {
  await using database = await freshDatabase();
  const columns = ['a', 'b'].map((name) => ({
    ...{ name, type: 'integer', sourceType: 'integer', inKey: false },
  }));
  const hash = hashOf(columns, 'source', { kind: 'hash64', floats: 'printed' }, 5);
  const rows = await database.query(
    `select (${hash})::text as hash from generate_series(0, 63) as n,
       (values (1, 0, 0), (2, 1, 1), (3, 0, 1), (4, 1, 0)) as pair (place, x, y),
       lateral (select 1000 * n + x as a, 2000 * n + y as b) as row
     order by n, place`,
  );
  const hashes = rows.map((row) => BigInt(String(row['hash'])));
  let told = 0n;
  for (let i = 0; i < hashes.length; i += 4) {
    const [one = 0n, other = 0n, swappedOne = 0n, swappedOther = 0n] = hashes.slice(i, i + 4);
    told |= (one + other) ^ (swappedOne + swappedOther);
  }
  expect(BigInt.asUintN(64, told)).toBe(2n ** 64n - 1n);
});
