import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { backfill } from '../../backfill/backfill.ts';
import { openClient, textRows, type Database } from '../../connectors/postgres/connection.ts';
import { arrayLiteral, ident } from '../../connectors/postgres/sql.ts';
import type { Image } from '../../core/mirror-table.ts';
import { version } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { SAMPLE_VALUES as COLUMNS, TEXTS } from '../harness/sample-values.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

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
