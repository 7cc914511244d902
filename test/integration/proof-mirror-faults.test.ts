import { afterAll, beforeAll, expect, test } from 'vitest';
import { inShort, ProofBench } from './proof-bench.ts';

/** Ten ranges of a hundred rows. */
const ROWS = 1000;
let bench: ProofBench;
beforeAll(async () => {
  bench = await ProofBench.open(
    { note: { id: 'key', title: 'value', body: 'value', amount: 'value' } },
    `create table note (id int primary key, title text, body text, amount numeric(12,2));
     insert into note select i, 'title ' || i, 'body ' || i, i / 7.0 from generate_series(1, ${ROWS}) i`,
  );
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Verifies with a fault in the mirror, and mends it. */
async function withFault(plant: string): Promise<string[]> {
  await bench.mirror('create table kept as select * from legacy.note');
  try {
    await bench.mirror(plant);
    const proof = await bench.verifyOne();
    expect(proof).toMatchObject({ unsettledCount: 0, openRanges: 0, notVerified: null });
    return inShort(proof);
  } finally {
    await bench.mirror(
      'truncate legacy.note; insert into legacy.note select * from kept; drop table kept',
    );
  }
}

test('a mirror that holds what the source holds agrees, with all of its rows', async () => {
  const proof = await bench.verifyOne();
  expect(proof).toMatchObject({ rows: ROWS, ranges: 11, mismatches: [], unsettledCount: 0 });
  expect(proof.checksum).toMatch(/^-?\d+$/);
});

test.each<[string, string, string[]]>([
  ['a row that was lost', 'delete from legacy.note where id = 500', ['500 missing']],
  [
    'a row too many, behind the last of the source',
    `insert into legacy.note values (5000, 'x', 'y', 1, '0/1')`,
    ['5000 extra'],
  ],
  [
    'a row too many, before the first of the source',
    `insert into legacy.note values (-7, 'x', 'y', 1, '0/1')`,
    ['-7 extra'],
  ],
  [
    'a row that kept its old values, while the counts are equal',
    `update legacy.note set title = 'old', amount = 0 where id = 123`,
    ['123 different title amount'],
  ],
  [
    'one bit of one value',
    `update legacy.note set body = overlay(body placing 'c' from 1) where id = 999`,
    ['999 different body'],
  ],
  ['a cent', 'update legacy.note set amount = amount + 0.01 where id = 1', ['1 different amount']],
  [
    'values swapped between two rows',
    `update legacy.note a set title = b.title from legacy.note b
     where (a.id, b.id) in ((10, 11), (11, 10))`,
    ['10 different title', '11 different title'],
  ],
  [
    'values swapped between two columns of a row',
    'update legacy.note set title = body, body = title where id = 77',
    ['77 different title body'],
  ],
  [
    'a value that became null, and a null that became the empty text',
    `update legacy.note set title = null where id = 5; update legacy.note set body = '' where id = 6`,
    ['5 different title', '6 different body'],
  ],
  [
    'a row that was taken for deleted',
    `update legacy.note set title = null, body = null, amount = null, _deleted = true where id = 42`,
    ['42 missing'],
  ],
  [
    'a range that was lost',
    'delete from legacy.note where id between 201 and 203',
    ['201 missing', '202 missing', '203 missing'],
  ],
  [
    'a lost row and one too many in the same range',
    `delete from legacy.note where id = 300; insert into legacy.note values (1300, 'x', 'y', 1, '0/1')`,
    ['1300 extra', '300 missing'],
  ],
  [
    'a version in the future, which would keep later changes out',
    `update legacy.note set _commit_lsn = 'FFFFFF/0' where id = 8`,
    ['8 ahead'],
  ],
  [
    'a tombstone in the future, which would keep its row out',
    `insert into legacy.note (id, _commit_lsn, _deleted) values (2000, 'FFFFFF/0', true)`,
    ['2000 ahead'],
  ],
])('%s is found', async (_, plant, expected) => {
  expect(await withFault(plant)).toEqual(expected);
});

test('a row whose deletion was lost, and one that came back, are found', async () => {
  await bench.source('delete from note where id in (601, 602)');
  // Of 601 the tombstone never came; that of 602 was overwritten by an older row.
  await bench.mirror(`update legacy.note set _commit_lsn = '0/1', _deleted = false where id = 602`);
  expect(inShort(await bench.verifyOne())).toEqual(['601 extra', '602 extra']);
  await bench.mirror('update legacy.note set _deleted = true where id in (601, 602)');
  expect(inShort(await bench.verifyOne())).toEqual([]);
});

test('more faults than a list holds end the table, which is said', async () => {
  await bench.source(`insert into note select i, 't', 'b', 0 from generate_series(10000, 12500) i`);
  const proof = await bench.verifyOne();
  expect(proof).toMatchObject({ isCutOff: true });
  expect(proof.mismatches).toHaveLength(1000);
  await bench.source('delete from note where id >= 10000');
});
