import { beforeEach, expect, test } from 'vitest';
import type { SourceReader } from '../../core/ports.ts';
import { UNCHANGED, version, type SentRow } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';

const bench = await benchForFile();
beforeEach(() => bench.reset());

const order = (id: number, notes: string | typeof UNCHANGED, status = 1): SentRow => ({
  id,
  patient_id: 1,
  status,
  notes,
});
const notes = async () => {
  const rows = await bench.query(
    'select id, notes from legacy.instruction where not _deleted order by id',
  );
  return Object.fromEntries(rows.map((row) => [String(row['id']), row['notes']]));
};

/** Answers with these rows, as of `lsn`, and says for which keys it was asked. */
function scripted(lsn: number, rows: readonly SentRow[]) {
  const asked: string[] = [];
  const reader: SourceReader = {
    async readByKey(table, keys) {
      asked.push(...keys.map((key) => `${table.name} ${key.join(' ')}`));
      return {
        lsn: version(lsn).commitLsn,
        rows: rows
          .filter((row) => keys.some(([key]) => key === String(row['id'])))
          .map((row) => bench.image(table.name, row)),
      };
    },
  };
  return { reader, asked };
}

test('a batch that repeats old changes behind new ones keeps the new', async () => {
  await using open = await bench.applier();
  const changes = [1, 2, 3].map((n) =>
    bench.write(n === 1 ? 'create' : 'update', 'instruction', order(1, `v${n}`), version(n)),
  );
  await bench.apply(open, ...changes, ...changes.slice(0, 2));
  expect(await notes()).toEqual({ 1: 'v3' });
});

test('a repeated key change does not take the large value of the row that has the old key now', async () => {
  await using open = await bench.applier();
  const move = bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 });
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'moved'), version(1)));
  const again = bench.write('create', 'instruction', order(1, 'another'), version(7));
  await bench.apply(open, move, again, move);
  expect(await notes()).toEqual({ 1: 'another', 2: 'moved' });
  await bench.apply(open, move, again);
  expect(await notes()).toEqual({ 1: 'another', 2: 'moved' });
});

test('a key change that comes late does not take the large value of the row that has the old key now', async () => {
  await using open = await bench.applier();
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'another'), version(7)));
  const { reader, asked } = scripted(9, [order(2, 'moved', 2)]);
  await using late = await bench.applier({ reader });
  await bench.apply(
    late,
    bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 }),
    bench.write('update', 'instruction', order(2, UNCHANGED, 2), version(8)),
  );
  expect(asked).toEqual(['instruction 2']);
  expect(await notes()).toEqual({ 1: 'another', 2: 'moved' });
});

test('a row that was copied under its new key keeps its large value when the key change comes', async () => {
  await using open = await bench.applier();
  // The copy ran after both changes; the stream starts before them.
  await bench.apply(
    open,
    bench.write('read', 'instruction', order(1, 'another'), version(2)),
    bench.write('read', 'instruction', order(2, 'moved'), version(2)),
  );
  await bench.apply(
    open,
    bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 }),
  );
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'another'), version(7)));
  expect(await notes()).toEqual({ 1: 'another', 2: 'moved' });
});

test('a row that moves onto the key of a deleted one takes its own large value along', async () => {
  await using open = await bench.applier();
  await bench.apply(
    open,
    bench.write('create', 'instruction', order(1, 'moved'), version(1)),
    bench.write('create', 'instruction', order(2, 'deleted'), version(2)),
  );
  await bench.apply(
    open,
    bench.remove('instruction', { id: 2 }, version(4)),
    bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 }),
    bench.write('update', 'instruction', order(2, UNCHANGED, 9), version(6)),
  );
  expect(await notes()).toEqual({ 2: 'moved' });
});

test('a row that moves from a key the mirror lacks is read again, whoever had its new key', async () => {
  const { reader, asked } = scripted(50, [order(2, 'read again', 9)]);
  await using open = await bench.applier({ reader });
  await bench.apply(open, bench.write('create', 'instruction', order(2, 'deleted'), version(2)));
  await bench.apply(
    open,
    bench.remove('instruction', { id: 2 }, version(4)),
    bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 }),
  );
  expect(asked).toEqual(['instruction 2']);
  expect(await notes()).toEqual({ 2: 'read again' });
});

test('a chain of key changes in one batch and in several carries the large value', async () => {
  for (const isOneBatch of [true, false]) {
    await bench.reset();
    await using open = await bench.applier();
    await bench.apply(open, bench.write('create', 'instruction', order(1, 'large'), version(1)));
    const moves = [2, 3, 4].map((n) =>
      bench.write('update', 'instruction', order(n, UNCHANGED), version(n), { id: n - 1 }),
    );
    if (isOneBatch) await bench.apply(open, ...moves);
    else for (const move of moves) await bench.apply(open, move);
    expect(await notes()).toEqual({ 4: 'large' });
  }
});

test('an update without its large value is read again where the mirror has no row, and never nulled', async () => {
  const { reader, asked } = scripted(50, [order(1, 'from the source', 7)]);
  await using open = await bench.applier({ reader });
  await bench.apply(
    open,
    bench.write('update', 'instruction', order(1, UNCHANGED), version(5)),
    bench.write('update', 'instruction', order(2, UNCHANGED), version(6)),
  );
  expect(asked.sort()).toEqual(['instruction 1', 'instruction 2']);
  expect(await notes()).toEqual({ 1: 'from the source' });
  // What was read is newer than the stream up to the barrier, and older than what comes after it.
  await bench.apply(open, bench.write('update', 'instruction', order(1, 'late'), version(40)));
  expect(await notes()).toEqual({ 1: 'from the source' });
  await bench.apply(open, bench.write('update', 'instruction', order(1, UNCHANGED), version(51)));
  await bench.apply(open, bench.write('create', 'instruction', order(2, 'new'), version(52)));
  expect(await notes()).toEqual({ 1: 'from the source', 2: 'new' });
  expect(asked).toHaveLength(2);
});

test('an update without its large value of a tombstone is read again; a late one is not', async () => {
  const { reader, asked } = scripted(50, [order(1, 'from the source')]);
  await using open = await bench.applier({ reader });
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'a'), version(1)));
  await bench.apply(open, bench.remove('instruction', { id: 1 }, version(10)));
  await bench.apply(open, bench.write('update', 'instruction', order(1, UNCHANGED), version(5)));
  expect(asked).toEqual([]);
  expect(await notes()).toEqual({});
  await bench.apply(open, bench.write('update', 'instruction', order(1, UNCHANGED), version(11)));
  expect(asked).toEqual(['instruction 1']);
  expect(await notes()).toEqual({ 1: 'from the source' });
});

test('a late change resurrects nothing, and a row that was inserted again stays', async () => {
  await using open = await bench.applier();
  await bench.apply(open, bench.remove('instruction', { id: 1 }, version(10)));
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'late'), version(3)));
  expect(await notes()).toEqual({});
  await bench.apply(open, bench.write('create', 'instruction', order(1, 'again'), version(11)));
  await bench.apply(open, bench.remove('instruction', { id: 1 }, version(10)));
  expect(await notes()).toEqual({ 1: 'again' });
});

test('versions compare by commit, then by change, as unsigned positions', async () => {
  await using open = await bench.applier();
  const high = 0xffff_ffff_0000n;
  const at = (commit: bigint, change: bigint) => ({
    commitLsn: commit as ReturnType<typeof version>['commitLsn'],
    changeLsn: change as ReturnType<typeof version>['changeLsn'],
  });
  const put = (text: string, commit: bigint, change: bigint) =>
    bench.apply(open, bench.write('create', 'instruction', order(1, text), at(commit, change)));
  await put('a', high, 9n);
  await put('older commit, younger change', high - 1n, 10n);
  expect(await notes()).toEqual({ 1: 'a' });
  await put('same', high, 9n);
  expect(await notes()).toEqual({ 1: 'a' });
  await put('b', high, 10n);
  await put('c', high + 1n, 0n);
  expect(await notes()).toEqual({ 1: 'c' });
});

test.each([
  ['alone', []],
  ['changed behind that place too', [version(0x41)]],
] as const)(
  'while the copy may be ahead of the stream, a moved row takes nothing from the row at its old key: %s',
  async (_, later) => {
    // Copied when row 1 had moved to 2, and row 3 to 1: the stream has both before it.
    await bench.query(
      `insert into legacy.instruction (id, patient_id, status, notes, _commit_lsn)
     values (1, 1, 1, 'of row 3', '0/1')`,
    );
    await bench.query(
      `update tandem.mirror set read_until = '0/40' where table_name = 'instruction'`,
    );
    const { reader, asked } = scripted(70, [order(2, 'of row 1')]);
    await using open = await bench.applier({ reader });
    await bench.apply(
      open,
      bench.write('update', 'instruction', order(2, UNCHANGED), version(5), { id: 1 }),
      ...later.map((at) => bench.write('update', 'instruction', order(2, UNCHANGED, 2), at)),
    );
    expect(asked).toEqual(['instruction 2']);
    expect(await notes()).toEqual({ 2: 'of row 1' });
    await bench.query(`update tandem.mirror set read_until = null`);
  },
);

test('through a log: a key change that is ahead of the old key does not keep a large value of before', async () => {
  const { reader } = scripted(9, [order(2, 'new')]);
  await using open = await bench.applier({ through: 'log', reader });
  await bench.applyFromLog(open, bench.write('create', 'instruction', order(1, 'old'), version(1)));
  const move = bench.write('create', 'instruction', order(2, UNCHANGED), version(6), { id: 1 });
  await bench.applyFromLog(open, move);
  await bench.applyFromLog(
    open,
    bench.write('update', 'instruction', order(1, 'new'), version(3)),
    bench.remove('instruction', { id: 1 }, version(6)),
  );
  expect(await notes()).toEqual({ 2: 'new' });
});
