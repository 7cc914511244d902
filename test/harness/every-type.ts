import fc from 'fast-check';
import { SAMPLE_VALUES, TEXTS } from './sample-values.ts';

// A table with a column of every type, and values that some form on the way could spoil.

/** Those that the small legacy schema has not got anyway. */
export const MORE_TYPES = `
  create type pair as (a int, b text); create domain positive as int check (value > 0);
  create domain cash as money; create domain label as text;
  create extension if not exists hstore; create extension if not exists citext`;

export const EVERY_TYPE_SETUP = `create type mood as enum ('sad', 'so so', 'happy, "very"');
  ${MORE_TYPES}`;

export type TypeSample = {
  readonly type: string;
  readonly values: readonly string[];
  readonly random?: fc.Arbitrary<string>;
};

const integer = (bits: 16 | 32) =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }).map(String);
const characters = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 28 }))
  .map(([digits, scale]) => `${digits}e-${scale}`);
const number = (min: number, max: number, digits: number) =>
  fc.integer({ min, max }).map((it) => String(it).padStart(digits, '0'));
const moment = fc
  .tuple(
    ...[number(1, 290_000, 4), number(1, 12, 2), number(1, 28, 2), number(0, 23, 2)],
    ...[number(0, 59, 2), number(0, 59, 2), number(0, 999_999, 6), fc.constantFrom('', ' BC')],
  )
  .map(([year = '', month, day, hour, minute, second, fraction, era = '']) => {
    const isBc = era !== '' && Number(year) < 4700;
    return `${year}-${month}-${day} ${hour}:${minute}:${second}.${fraction}${isBc ? era : ''}`;
  });
const jsonText = fc
  .json({ depthSize: 'small' })
  .filter((text) => !/\\u0000|\\ud[89a-f]/i.test(text));

const TIMES = ['00:00:00', '24:00:00', '12:34:56.789012', '23:59:59.999999', '10:00:00.1'];
const TIMESTAMPS = [
  ...['2024-02-29 12:34:56.789012', 'infinity', '-infinity', '0044-03-15 00:00:00 BC'],
  ...['294276-12-31 23:59:59.999999', '4713-01-01 00:00:00 BC', '1969-12-31 23:59:59.999999'],
  ...[
    '0001-01-01 00:00:00',
    '12345-06-07 08:09:10',
    '1582-10-10 00:00:00',
    '2024-01-01 00:00:00.5',
  ],
  ...['294247-01-10 04:00:54.775807', '9999-12-31 23:59:59.999999', '0001-12-31 23:59:59 BC'],
];
const sample = (name: string): string[] =>
  (SAMPLE_VALUES[name] ?? []).filter((value): value is string => value !== null);

export const EVERY_TYPE: readonly TypeSample[] = [
  { type: 'smallint', values: ['-32768', '0', '32767'], random: integer(16) },
  { type: 'integer', values: ['-2147483648', '7'], random: integer(32) },
  {
    type: 'bigint',
    values: sample('big'),
    random: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  },
  { type: 'oid', values: ['0', '7', '2147483648', '4294967295'] },
  {
    type: 'real',
    values: [
      ...sample('ratio').slice(0, 4),
      '1e-45',
      '1e6',
      '123456',
      '1e-4',
      '1e-5',
      '16777216',
      '3.4028235e38',
      '1.1754944e-38',
    ],
    random: fc.float().map(String),
  },
  {
    type: 'double precision',
    values: [...sample('ratio'), '1e15', '1e14', '123456789012345680', '1e-4', '1e-5'],
    random: fc.double().map(String),
  },
  { type: 'numeric', values: sample('loose'), random: decimal },
  { type: 'numeric(12,2)', values: ['0', '-0.01', 'NaN', '9999999999.99'] },
  { type: 'numeric(8,-2)', values: ['0', '1200', '-99900', 'NaN'] },
  { type: 'money', values: ['12.34', '-1234567.89', '0'] },
  { type: 'boolean', values: ['t', 'f'] },
  { type: 'text', values: [...TEXTS, '__debezium_unavailable_value'], random: characters },
  { type: 'character varying(20)', values: ['', "it's", '__debezium'] },
  { type: 'character(5)', values: ['', 'a', 'abcde', '  x'] },
  { type: '"char"', values: ['', 'a'] },
  { type: 'name', values: ['', 'nm', 'KDEsMik='] },
  { type: 'citext', values: ['CiTeXt', ''] },
  { type: 'uuid', values: sample('code') },
  { type: 'json', values: sample('raw'), random: jsonText },
  { type: 'jsonb', values: sample('doc'), random: jsonText },
  { type: 'date', values: [...sample('day'), '1582-10-10', '0044-03-15 BC', '4713-01-01 BC'] },
  { type: 'time', values: TIMES },
  { type: 'time(3)', values: ['12:34:56.789', '24:00:00'] },
  {
    type: 'time with time zone',
    values: ['12:34:56.789012+02', '00:00:00+00', '23:59:59-11:30', '24:00:00+00'],
  },
  { type: 'timestamp', values: TIMESTAMPS, random: moment },
  {
    type: 'timestamp(3)',
    values: ['2024-02-29 12:34:56.789', 'infinity', '-infinity', '0044-03-15 00:00:00 BC'],
  },
  { type: 'timestamp(0)', values: ['2024-02-29 12:34:56'] },
  { type: 'timestamp with time zone', values: [...sample('seen'), ...TIMESTAMPS], random: moment },
  {
    type: 'interval',
    values: [
      ...sample('span'),
      '-1 mon',
      '1 year -1 mon 5 days',
      '-5 days 03:00',
      '178000000 years',
      '1000000:00:00.5',
      '-1 day +00:00:00.1',
      '1 mon',
    ],
    random: fc
      .tuple(
        fc.integer({ min: -9999, max: 9999 }),
        fc.integer({ min: -9999, max: 9999 }),
        fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }),
      )
      .map(([months, days, us]) => `${months} mons ${days} days ${us} us`),
  },
  {
    type: 'bytea',
    values: [...sample('blob'), '\\x5f5f646562657a69756d5f756e617661696c61626c655f76616c7565'],
    random: fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  },
  { type: 'bit', values: ['0', '1'] },
  { type: 'bit(5)', values: ['00000', '10101', '00001', '11111'] },
  { type: 'bit(12)', values: ['000000000000', '100000000001', '000011110000'] },
  { type: 'bit varying', values: ['', '0', '00101', '111111111'] },
  { type: 'bit varying(9)', values: ['0', '1'] },
  { type: 'bit varying(1)', values: ['', '0', '1'] },
  { type: 'inet', values: ['10.0.0.1/24', '::1', '10.0.0.1'] },
  { type: 'cidr', values: ['10.0.0.0/8'] },
  { type: 'macaddr', values: ['08:00:2b:01:02:03'] },
  { type: 'macaddr8', values: ['08:00:2b:01:02:03:04:05'] },
  { type: 'tsvector', values: ["a fat:1 'it''s':2", ''] },
  { type: 'tsquery', values: ["'a' & 'b'", ''] },
  { type: 'jsonpath', values: ['$.a'] },
  { type: 'pg_lsn', values: ['0/0', 'FF/ABCDEF01'] },
  { type: 'point', values: ['(1,2)', '(1e300,-0)', '(NaN,Infinity)', '(0.1,1e-7)'] },
  { type: 'line', values: ['{1,2,3}'] },
  { type: 'lseg', values: ['[(0,0),(1,1)]'] },
  { type: 'box', values: ['(1,1),(0,0)'] },
  { type: 'path', values: ['[(0,0),(1,1)]', '((0,0),(1,1))'] },
  { type: 'polygon', values: ['((0,0),(1,1),(2,0))'] },
  { type: 'circle', values: ['<(0,0),1>'] },
  { type: 'int4range', values: ['[1,5)', 'empty', '(,5)'] },
  { type: 'numrange', values: ['[1.10,5]'] },
  { type: 'daterange', values: ['[2024-01-01,infinity)'] },
  { type: 'tsrange', values: ['["2024-01-01 00:00:00","2024-01-02 00:00:00.5"]'] },
  { type: 'tstzrange', values: ['["2024-01-01 00:00:00+00","2024-01-02 00:00:00.5+02"]', '(,)'] },
  { type: 'int4multirange', values: ['{[1,5),[7,8)}', '{}'] },
  {
    type: 'hstore',
    values: [
      '',
      'a=>1,b=>NULL',
      '"long key"=>"a \\"b\\" \\\\ c", "z"=>"", "aa"=>"=>"',
      '"é"=>"ü", "zz"=>"1"',
    ],
  },
  { type: 'mood', values: sample('mood') },
  { type: 'pair', values: ['(1,"x y")', '(,)', '(7,"a ""quoted"" one")'] },
  { type: 'positive', values: ['1', '2147483647'] },
  { type: 'cash', values: ['12.34', '-5'] },
  { type: 'label', values: ['', 'KDEsMik=', 'abcd'] },
  {
    type: 'integer[]',
    values: [
      ...sample('ints'),
      ...sample('grid'),
      '{NULL}',
      '{NULL,NULL}',
      `{${[...Buffer.from('__debezium_unavailable_value')].join(',')}}`,
    ],
  },
  { type: 'bigint[]', values: ['{9223372036854775807,-1}'] },
  { type: 'smallint[]', values: ['{}', '{1,2}'] },
  { type: 'real[]', values: ['{0.1,NaN,NULL}', '{}'] },
  { type: 'double precision[]', values: ['{0.1,1e300,-Infinity}', '{-0}'] },
  { type: 'numeric[]', values: ['{1.10,NaN}', '{1.50,2}', '{}', '{Infinity}'] },
  { type: 'boolean[]', values: ['{t,f,NULL}'] },
  {
    type: 'text[]',
    values: [
      ...sample('texts'),
      '{__debezium_unavailable_value}',
      '{"a{b","c,d","NULL","null",NULL,""}',
      '{{a,b},{c,NULL}}',
      '[2:3]={x,y}',
      '{"[Ljava.lang.String;@1b2c3d"}',
    ],
    random: fc
      .array(fc.option(characters), { maxLength: 5 })
      .map(
        (list) =>
          `{${list.map((it) => (it === null ? 'NULL' : `"${it.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`,
      ),
  },
  { type: 'character varying(9)[]', values: ['{a,b}'] },
  { type: 'uuid[]', values: ['{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'] },
  { type: 'jsonb[]', values: ['{"{\\"a\\": 1}"}'] },
  { type: 'bytea[]', values: ['{"\\\\xdeadbeef",NULL}'] },
  {
    type: 'date[]',
    values: ['{2024-02-29,NULL}', '{1500-01-01}', '{infinity}', '{"0044-03-15 BC"}'],
  },
  { type: 'time[]', values: ['{12:34:56.789012}'] },
  { type: 'timestamp[]', values: ['{"2024-01-01 00:00:00.5",infinity}'] },
  {
    type: 'timestamp with time zone[]',
    values: ['{"2024-01-01 00:00:00.5+00"}', '{"1500-01-01 00:00:00+00"}', '{infinity}'],
  },
  { type: 'interval[]', values: ['{"1 mon","-00:00:01"}'] },
  { type: 'money[]', values: ['{12.34}'] },
  { type: 'inet[]', values: ['{10.0.0.1,::1}'] },
  { type: 'int4range[]', values: ['{"[1,5)",empty}'] },
  { type: 'point[]', values: ['{"(1,2)","(3,4)"}'] },
  { type: 'box[]', values: ['{(1,1),(0,0);(2,2),(1,1)}'] },
  { type: 'mood[]', values: sample('moods') },
  { type: 'pair[]', values: ['{"(1,x)",NULL}'] },
  { type: 'positive[]', values: ['{1,2}'] },
  { type: 'xml', values: ['<a b="c">d</a>', ''] },
];
