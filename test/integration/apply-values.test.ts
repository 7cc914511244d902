import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { backfill } from '../../backfill/backfill.ts';
import { openClient, textRows, type Database } from '../../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../../connectors/postgres/sql.ts';
import type { Image } from '../../core/mirror-table.ts';
import { Bench, version } from '../harness/apply-bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await bench.reset();
});

/** Texts that some encoding on the way could spoil. */
const TEXTS = [
  '',
  ' ',
  'NULL',
  'null',
  '\\N',
  '\\.',
  '\\',
  '\\\\',
  "it's",
  '"quoted"',
  '{a,b}',
  '(1,2)',
  'a\nb',
  'a\r\nb',
  'tab\there',
  '\b\f\v',
  '\u0001\u007f',
  '𝒳🦷é\u0301',
  'ä'.repeat(3000),
  '%s $1 :x ${y}',
];
const COLUMNS: Readonly<Record<string, readonly (string | null)[]>> = {
  mood: ['sad', 'so so', 'happy, "very"'],
  short: ['', 'it\'s "short"', 'ä'.repeat(20)],
  ints: ['{}', '{1,NULL,-2147483648}', '[3:4]={1,2}'],
  texts: ['{}', ...TEXTS.slice(0, 16).map((text) => arrayLiteral([text, null, 'x']))],
  grid: ['{{1,2},{3,NULL}}', '{{{1}}}'],
  moods: ['{sad,"happy, \\"very\\"",NULL}'],
  blob: ['\\x', '\\x00', '\\x005c0a09ff27', `\\x${'ab'.repeat(5000)}`],
  exact: ['0.000000', '-0.000001', '12345678901234.123456', 'NaN'],
  loose: [
    '0',
    '0.00',
    '1.10',
    '-1.1000',
    '123456789012345678901234567890.000000001',
    'NaN',
    'Infinity',
    '-Infinity',
    '1e-20',
    '1E+30',
  ],
  doc: ['{}', 'null', '[]', '{"a": "b\\nc \\u00e4 \\\\ \\"", "n": 1.10, "z": 1e400}', '"\\t"'],
  raw: ['{ "a" : 1 , "a" : 2 }', '  null', '"\\u0000"'],
  seen: [
    '2024-02-29 12:00:00.123456+00',
    'infinity',
    '-infinity',
    '0044-03-15 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
  ],
  day: ['2024-02-29', 'infinity', '0001-01-01 BC', '5874897-12-31'],
  flag: ['t', 'f'],
  ratio: [
    '0.1',
    '-0',
    'NaN',
    'Infinity',
    '5e-324',
    '1.7976931348623157e+308',
    '0.30000000000000004',
  ],
  code: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  padded: ['', 'a', 'abcde'],
  wide: TEXTS,
  big: ['9223372036854775807', '-9223372036854775808', '9007199254740993'],
  span: ['1 year 2 mons -3 days 04:05:06.789', '-00:00:00.000001', '00:00:00'],
};

const LIST = ['id', ...Object.keys(COLUMNS)];

async function printed(database: Database, from: string, id = 'id'): Promise<unknown> {
  const client = await openClient(database, 'test');
  try {
    const columns = LIST.map((name) => (name === 'id' ? id : ident(name)));
    return await textRows(client, `select ${columns.join(', ')} from ${from} order by 1`);
  } finally {
    await client.end();
  }
}

/** Rows of the source as its own output functions print them: that is what a stream brings. */
async function sent(): Promise<Image[]> {
  const table = bench.table('sample');
  const client = await openClient(bench.source, 'test');
  try {
    return await textRows(
      client,
      `select ${table.columns.map(({ name }) => ident(name)).join(', ')} from public.sample order by 1`,
    );
  } finally {
    await client.end();
  }
}

async function fill(): Promise<void> {
  // An id holds 62 bits of the key.
  const ids = ['2305843009213693951', '-2305843009213693952', '9007199254740993', '0'];
  let next = 1;
  for (const [column, values] of Object.entries(COLUMNS)) {
    for (const value of values) {
      await bench.pair.source.query(`insert into sample (id, ${column}) values ($1, $2)`, [
        ids.pop() ?? String(next++),
        value,
      ]);
    }
  }
  await bench.pair.source.query('insert into sample (id) values (999999)');
}

const stamps = () => bench.query('select id, xmin::text from samples order by id');

test('every value survives merge and upsert, and is the same when it is derived from the mirror', async () => {
  await fill();
  const source = await printed(bench.source, 'public.sample');
  await using open = await bench.applier();
  const table = bench.table('sample');
  const events = (await sent()).map((row, i) => ({
    kind: 'create' as const,
    table,
    version: version(1, i),
    committedAt: null,
    row,
    oldKey: null,
  }));
  await bench.apply(open, ...events);
  expect(await bench.query('select message from tandem.quarantine')).toEqual([]);
  expect(await printed(bench.target, 'legacy.sample')).toEqual(source);
  expect(await printed(bench.target, 'public.samples', 'legacy_id')).toEqual(source);
  const before = await stamps();
  await bench.query(`insert into tandem.job (entity, reason) values ('sample', 'test')`);
  await bench.runJobs(open);
  expect(await stamps()).toEqual(before);
  // The same again under a newer version: not one value looks changed.
  await bench.apply(open, ...events.map((event, i) => ({ ...event, version: version(2, i) })));
  expect(await stamps()).toEqual(before);
});

test('every value survives the copy from the source and into the target', async () => {
  await fill();
  await backfill(bench.backfillContext());
  const source = await printed(bench.source, 'public.sample');
  expect(await printed(bench.target, 'legacy.sample')).toEqual(source);
  expect(await printed(bench.target, 'public.samples', 'legacy_id')).toEqual(source);
  const before = await stamps();
  await using open = await bench.applier();
  await bench.query(`insert into tandem.job (entity, reason) values ('sample', 'test')`);
  await bench.runJobs(open);
  expect(await stamps()).toEqual(before);
});

test('an update that leaves out any column keeps its value, whatever its type', async () => {
  await fill();
  await using open = await bench.applier();
  const table = bench.table('sample');
  const rows = await sent();
  const events = rows.map((row, i) => ({
    kind: 'create' as const,
    table,
    version: version(1, i),
    committedAt: null,
    row,
    oldKey: null,
  }));
  await bench.apply(open, ...events);
  const source = await printed(bench.source, 'public.sample');
  await bench.apply(
    open,
    ...events.map((event, i) => ({
      ...event,
      kind: 'update' as const,
      version: version(2, i),
      row: event.row.map((cell, column) =>
        column > 0 && (column + i) % 3 === 0 ? undefined : cell,
      ),
    })),
  );
  expect(await printed(bench.target, 'legacy.sample')).toEqual(source);
  expect(await printed(bench.target, 'public.samples', 'legacy_id')).toEqual(source);
});

test('any text is the same in the mirror and in the target, alone and in an array, by both ways', async () => {
  const anything = fc
    .string({ unit: 'binary', maxLength: 12 })
    .filter((text) => !text.includes('\0') && Buffer.from(text).toString() === text);
  const nasty = fc.oneof(
    anything,
    fc.constantFrom(...TEXTS),
    fc.stringMatching(/^["\\{},\t\n ]*$/),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(nasty, fc.array(fc.option(nasty))), { maxLength: 8 }),
      async (rows) => {
        await bench.reset();
        await using open = await bench.applier();
        await bench.apply(
          open,
          ...rows.map(([wide, texts], i) =>
            bench.write(
              'create',
              'sample',
              { id: i, wide, texts: arrayLiteral(texts) },
              version(1, i),
            ),
          ),
        );
        await bench.insert(
          'sample',
          rows.map(([wide, texts], i) => ({ id: i + 100, wide, texts: arrayLiteral(texts) })),
        );
        const wanted = rows.map(([wide, texts]) => ({ wide, texts }));
        const found = (from: string) => bench.query(`select wide, texts from ${from}`);
        expect(await found('legacy.sample order by id')).toEqual(wanted);
        expect(await found('samples order by id')).toEqual(wanted);
        await bench.query('truncate legacy.sample, samples');
        await bench.query('update tandem.entity set derived_at = null');
        await backfill(bench.backfillContext());
        expect(await found('legacy.sample order by id')).toEqual(wanted);
        expect(await found('samples order by id')).toEqual(wanted);
      },
    ),
    { numRuns: 4 },
  );
});
