import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultsBench, foundBy } from './proof-faults-bench.ts';

let bench: FaultsBench;
beforeAll(async () => {
  bench = await FaultsBench.open();
}, 120_000);
afterAll(() => bench[Symbol.asyncDispose]());

type Check = 'mirror' | 'target' | 'account';
type Fault = {
  readonly fault: string;
  readonly plant: () => Promise<void>;
  readonly found: readonly Check[];
  readonly repaired: boolean;
  /** What undoes it where a repair does not. */
  readonly undo?: string;
};

const id = (identity: string, key: string) => `tandem.uuid_of('${identity}', ${key})`;
const inTarget = (sql: string) => () => bench.target(sql);
/** What reached the mirror wrongly, and was derived from that. */
const applied =
  (sql: string, roots: Readonly<Record<string, readonly string[]>>) => async (): Promise<void> => {
    await bench.target(sql);
    await bench.derive(roots);
  };
/** The source loses a row without a word, as if its deletion had been lost on the way. */
const SILENT_TWIN = (key: string) =>
  `insert into legacy.office (id, name, _commit_lsn) values (${key}, 'twin', '0/1')`;

const FAULTS: readonly Fault[] = [
  {
    fault: 'a row was lost on the way',
    plant: applied('delete from legacy.office where id = 11', { office: ['11'] }),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a row was doubled, under another key',
    plant: applied(SILENT_TWIN('111'), { office: ['111'] }),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a change was lost: the row is old, the counts are equal',
    plant: applied(`update legacy.office set name = 'old' where id = 12`, { office: ['12'] }),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'one bit of one value',
    plant: applied(`update legacy.sample set wide = 'c' where id = 1`, { sample: ['1'] }),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a range was lost',
    plant: applied('delete from legacy.office where id between 13 and 17', {
      office: ['13', '14', '15', '16', '17'],
    }),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'the values of two rows were swapped on the way',
    plant: applied(
      `update legacy.office a set name = b.name from legacy.office b
       where (a.id, b.id) in ((18, 19), (19, 18))`,
      { office: ['18', '19'] },
    ),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a deletion was lost: the row is still there',
    plant: async () => {
      await bench.source('delete from office where id = 20');
      await bench.caughtUp();
      await applied(
        `update legacy.office set name = 'back', _deleted = false, _commit_lsn = '0/1' where id = 20`,
        { office: ['20'] },
      )();
    },
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a row was deleted and came again, and only the deletion arrived',
    plant: async () => {
      await bench.source(`delete from office where id = 21; insert into office values (21, 'new')`);
      await bench.caughtUp();
      await applied('update legacy.office set name = null, _deleted = true where id = 21', {
        office: ['21'],
      })();
    },
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a version in the future, which keeps later changes out',
    plant: inTarget(`update legacy.office set _commit_lsn = 'FFFFFF/0' where id = 22`),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'a tombstone in the future, which keeps its row out',
    plant: applied(
      `update legacy.office set name = null, _deleted = true, _commit_lsn = 'FFFFFF/0'
       where id = 23`,
      { office: ['23'] },
    ),
    found: ['mirror'],
    repaired: true,
  },
  {
    fault: 'somebody changed a row of the mirror',
    plant: inTarget(`update legacy.office set name = 'x' where id = 24`),
    found: ['mirror', 'target'],
    repaired: true,
  },
  {
    fault: 'somebody changed a row of the target',
    plant: inTarget(`update offices set name = 'x' where id = ${id('office', '24')}`),
    found: ['target'],
    repaired: true,
  },
  {
    fault: 'rows as another mapping would have made them',
    plant: inTarget(`update offices set name = upper(name)`),
    found: ['target'],
    repaired: true,
  },
  {
    fault: 'the values of two rows were swapped in the target',
    plant: inTarget(`update samples a set exact = b.exact from samples b
      where (a.id, b.id) in ((${id('sample', '1')}, ${id('sample', '2')}),
        (${id('sample', '2')}, ${id('sample', '1')}))`),
    found: ['target'],
    repaired: true,
  },
  {
    fault: 'an amount is off by a cent',
    plant: inTarget(`update samples set exact = exact + 0.01 where id = ${id('sample', '3')}`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a row of the target is gone',
    plant: inTarget(`delete from offices where id = ${id('office', '25')}`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a row of the target was marked as deleted',
    plant: inTarget(`update offices set deleted_at = now() where id = ${id('office', '26')}`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a row too many in the target, with an id of the entity',
    plant: inTarget(`insert into offices (id, name) values (${id('office', '999')}, 'x')`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a row of a held root is in the target',
    plant: inTarget(`insert into patients (id, profile_id)
      values (${id('patient', '3')}, ${id('profile', '1')})`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a mark was lost: the root is on no list',
    plant: inTarget(`delete from tandem.held where entity = 'patient' and root_key = '3'`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a mark too many: the root is applied and excluded',
    plant: inTarget(`insert into tandem.excluded (entity, root_key, rule)
      values ('office', '27', 'x')`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a mark about a root that is not there',
    plant: inTarget(`insert into tandem.excluded (entity, root_key, rule)
      values ('office', '888', 'x')`),
    found: ['target', 'account'],
    repaired: true,
  },
  {
    fault: 'a row too many of an entity that fans out, on no record',
    plant: inTarget(`insert into summaries (id, patient_id, orders)
      values (${id('summary', '77')}, ${id('patient', '1')}, 0)`),
    found: ['target'],
    repaired: false,
    undo: `delete from summaries where id = ${id('summary', '77')}`,
  },
  {
    fault: 'the entries of a journal are gone',
    plant: async () => {
      await bench.source('update instruction set status = 9 where id = 2');
      await bench.caughtUp();
      await bench.target('delete from status_changes');
    },
    found: ['target'],
    repaired: false,
    undo: 'delete from tandem.journal_last',
  },
  {
    fault: 'a value in an entry of a journal was changed',
    plant: async () => {
      await bench.source('update instruction set status = 10 where id = 2');
      await bench.caughtUp();
      await bench.target('update status_changes set to_status = 11');
    },
    found: [],
    repaired: false,
  },
];

test.each(FAULTS)('$fault', { timeout: 60_000 }, async ({ plant, found, repaired, undo }) => {
  await plant();
  const planted = await bench.verify();
  expect(foundBy(planted.report)).toEqual(found);
  expect(planted.code).toBe(found.length > 0 ? 1 : 0);
  const after = await bench.verify('--repair');
  const isClean = repaired || found.length === 0;
  expect(foundBy(after.report), JSON.stringify(after.report.repair)).toEqual(isClean ? [] : found);
  expect(after.code).toBe(isClean ? 0 : 1);
  if (undo !== undefined) await bench.target(undo);
  const left = await bench.verify();
  expect([
    left.code,
    left.report.notVerified.filter(({ what }) => !what.includes('journal')),
  ]).toEqual([0, []]);
});

test('the table of the documentation says what was seen here', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'proof.md'), 'utf8');
  const start = page.indexOf('| fault ');
  const rows = page
    .slice(start)
    .split('\n\n')[0]
    ?.trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const yes = (is: boolean) => (is ? 'yes' : '');
  expect(rows).toEqual(
    FAULTS.map(({ fault, found, repaired }) => [
      fault,
      ...(['mirror', 'target', 'account'] as const).map((check) => yes(found.includes(check))),
      yes(repaired),
    ]),
  );
});
