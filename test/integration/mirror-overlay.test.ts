import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { execute, openClient, textRows } from '../../connectors/postgres/connection.ts';
import { MirrorOverlay } from '../../consumers/mirror-overlay.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { SourceReader } from '../../core/ports.ts';
import { Bench, UNCHANGED, version, type SentRow } from '../harness/apply-bench.ts';

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

const order = (id: number, notes: string | typeof UNCHANGED, status = 1): SentRow => ({
  id,
  patient_id: 1,
  status,
  notes,
});

/** The source, which has one row, as of place 50. */
function source(row: SentRow) {
  const asked: string[] = [];
  const reader: SourceReader = {
    readByKey: async (table, keys) => {
      asked.push(...keys.map((key) => key.join(' ')));
      const rows = keys.some(([key]) => key === String(row['id'])) ? [row] : [];
      const lsn = version(50).commitLsn;
      return { lsn, readUntil: lsn, rows: rows.map((it) => bench.image(table.name, it)) };
    },
  };
  return { reader, asked };
}

async function opened(reader: SourceReader) {
  const client = await openClient(bench.target, 'test');
  const table = bench.table('instruction');
  const options = { table, isJournaled: false, trustedFrom: undefined, reader };
  const overlay = await MirrorOverlay.open(client, options);
  const seen = async () => {
    const rows = await textRows(
      client,
      `select id, status, notes from ${mirrorName(overlay.table)} where not _deleted order by id`,
    );
    return rows.map((row) => row.join(' '));
  };
  return { client, overlay, seen, [Symbol.asyncDispose]: () => client.end() };
}

test('what is newer lies over the mirror, what is older does not, and the mirror stays as it is', async () => {
  await using open = await bench.applier();
  for (const id of [1, 2, 3]) {
    await bench.apply(open, bench.write('create', 'instruction', order(id, `n${id}`), version(10)));
  }
  const before = await bench.query(
    'select t.xmin, t.xmax, t.* from legacy.instruction as t order by id',
  );
  const marks = await bench.query('select * from tandem.mirror order by 1');
  const { reader, asked } = source(order(7, 'from the source', 7));
  await using session = await opened(reader);
  const { overlay, seen } = session;
  await overlay.add([
    bench.write('update', 'instruction', order(1, UNCHANGED, 5), version(11)),
    bench.write('update', 'instruction', order(2, 'late', 5), version(9)),
    bench.remove('instruction', { id: 3 }, version(12)),
    bench.write('create', 'instruction', order(4, 'n4'), version(13)),
  ]);
  // A second part of it: one goes on where the first ended, one has a value that nobody has.
  await overlay.add([
    bench.write('update', 'instruction', order(4, UNCHANGED, 6), version(14)),
    bench.write('update', 'instruction', order(7, UNCHANGED, 8), version(15)),
  ]);
  expect(await seen()).toEqual(['1 5 n1', '2 1 n2', '4 6 n4', '7 7 from the source']);
  expect(await overlay.count()).toBe(4);
  expect(asked).toEqual(['7']);
  expect(
    await bench.query('select t.xmin, t.xmax, t.* from legacy.instruction as t order by id'),
  ).toEqual(before);
  expect(await bench.query('select * from tandem.mirror order by 1')).toEqual(marks);

  // The stream goes on beside it, past what the overlay has.
  await bench.apply(open, bench.write('update', 'instruction', order(1, 'newest', 9), version(20)));
  await bench.apply(open, bench.write('create', 'instruction', order(3, 'again'), version(21)));
  expect(await seen()).toEqual([
    '1 9 newest',
    '2 1 n2',
    '3 1 again',
    '4 6 n4',
    '7 7 from the source',
  ]);
});

test('a key change moves the row, with the large value that only the source has', async () => {
  await using open = await bench.applier();
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'n1'), version(10)));
  const { reader } = source(order(2, 'n1', 4));
  await using session = await opened(reader);
  const { client, overlay, seen } = session;
  await overlay.add([
    bench.write('update', 'instruction', order(2, UNCHANGED, 4), version(11), { id: 1 }),
  ]);
  expect(await seen()).toEqual(['2 4 n1']);
  await execute(client, 'begin read only');
  expect(await seen()).toEqual(['2 4 n1']);
});
