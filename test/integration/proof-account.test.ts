import { beforeEach, expect, test } from 'vitest';
import { openClient } from '../../connectors/postgres/connection.ts';
import { entity, type Mapping } from '../../core/entity.ts';
import { bool, int4, int8, numeric, text } from '../../core/legacy-table.ts';
import { excluded, ref, rejected, row, type Issue } from '../../core/outcome.ts';
import { legacyTable } from '../../core/shape.ts';
import { account } from '../../monitoring/account.ts';
import type { AccountProof } from '../../proof/account/account-proof.ts';
import { proveAccount } from '../../proof/account/prove-account.ts';
import { version } from '../harness/apply-bench.ts';
import { benchForFile } from '../harness/bench-for-file.ts';
import { faultLines, proofOf } from '../harness/target-proof.ts';

const customer = legacyTable('customer', 'code', { code: text, name: text });
const bill = legacyTable('bill', 'id', {
  id: int8,
  customer: text,
  amount: numeric.orNull,
  points: int4.orNull,
  kind: int4,
});
const flag = legacyTable('flag', ['name', 'is_on', 'short'], {
  name: text,
  is_on: bool,
  short: text,
  note: text.orNull,
});
const grade = legacyTable('grade', 'id', { id: int4, title: text });

const SPECIAL = { rejected: -1, excluded: -2 } as const;

const MAPPING: Mapping = {
  name: 'bills',
  migrations: null,
  entities: [
    entity({
      name: 'customer',
      target: 'customers',
      from: customer.select('name'),
      map: (it) => row({ id: ref('customer', it.code), name: it.name }),
    }),
    entity({
      name: 'bill',
      target: 'bills',
      sums: { total: 'amount', points: 'points' },
      from: bill.select('customer', 'amount', 'points', 'kind'),
      map(it) {
        if (it.kind === SPECIAL.excluded) return excluded('a_test');
        if (it.kind === SPECIAL.rejected) return rejected('kind is not one');
        const issues: Issue[] = [];
        if (it.kind > 8) issues.push({ column: 'kind', reason: `code ${it.kind}`, shared: true });
        if (it.points === null) issues.push({ column: 'points', reason: 'empty' });
        return row(
          {
            id: ref('bill', it.id),
            customer_id: ref('customer', it.customer),
            total: it.amount,
            points: it.points,
          },
          issues,
        );
      },
    }),
    entity({
      name: 'flag',
      target: 'flags',
      from: flag.select('note'),
      map: (it) =>
        it.note === 'x'
          ? excluded('marked')
          : row({
              id: ref('flag', JSON.stringify([it.name, it.is_on ? 't' : 'f', it.short])),
              note: it.note,
            }),
    }),
    entity({
      name: 'grade',
      target: 'grades',
      seeds: [1, 2],
      from: grade.select('title'),
      map: (it) => row({ id: ref('grade', it.id), title: it.title }),
    }),
  ],
};

const LEGACY = `
  create table customer (code text primary key, name text not null);
  create table bill (id bigint primary key, customer text not null, amount numeric(12,2), points int,
    kind int not null);
  create table flag (name text, is_on bool, short char(5), note text, primary key (name, is_on, short));
  create table grade (id int primary key, title text not null);`;
/** `customers` and `flags` have no `deleted_at`; `bills` cannot hold more than 9 points. */
const TARGET = `
  create table customers (id uuid primary key, name text);
  create table bills (id uuid primary key, customer_id uuid not null references customers (id),
    total numeric(12,2), points int check (points < 10), deleted_at timestamptz);
  create table flags (id uuid primary key, note char(4));
  create table grades (id uuid primary key, title text, deleted_at timestamptz)`;

const bench = await benchForFile({ mapping: MAPPING, legacy: LEGACY, target: TARGET });

beforeEach(async () => {
  await bench.reset();
  await using open = await bench.applier();
  let commit = 100;
  const put = (table: string, ...rows: Record<string, string | number | null>[]) =>
    bench.apply(open, ...rows.map((it) => bench.write('create', table, it, version(commit++))));
  await put('customer', { code: 'it\'s "A"', name: 'a' }, { code: '42', name: 'b' });
  await put(
    'bill',
    { id: 1, customer: '42', amount: '10.10', points: 1, kind: 1 },
    { id: 2, customer: '42', amount: '0.03', points: null, kind: 9 },
    { id: 3, customer: '42', amount: null, points: 3, kind: 1 },
    { id: '9007199254740993', customer: 'it\'s "A"', amount: '-5.00', points: 2, kind: 1 },
    { id: 5, customer: 'nobody', amount: '7.00', points: 2, kind: 1 },
    { id: 6, customer: '42', amount: '100.00', points: 2, kind: SPECIAL.excluded },
    { id: 7, customer: '42', amount: '1000.00', points: 2, kind: SPECIAL.rejected },
    { id: 8, customer: '42', amount: '0.50', points: 5, kind: 1 },
    { id: 9, customer: '42', amount: '3.00', points: 5, kind: 1 },
  );
  // Refused by the target after it was applied: the row from before stays, and is not counted.
  await bench.apply(
    open,
    bench.write(
      'update',
      'bill',
      { id: 8, customer: '42', amount: '0.75', points: 99, kind: 1 },
      version(500),
    ),
  );
  await bench.apply(open, bench.remove('bill', { id: 9 }, version(501)));
  await put(
    'flag',
    { name: 'a, "b"', is_on: 't', short: 'xy   ', note: 'n' },
    { name: 'a', is_on: 'f', short: '     ', note: 'x' },
    { name: 'ä', is_on: 't', short: 'abcde', note: null },
  );
  await put('grade', { id: 2, title: 'two' });
  await bench.query(
    `insert into grades select tandem.uuid_of('grade', 1), 'seeded'
     union all select tandem.uuid_of('grade', 'none'), 'seeded too'`,
  );
  await bench.insert('grade', [{ id: 2, title: 'two' }]);
  await bench.query(
    `insert into tandem.entity (name, derived_at) select unnest($1::text[]), now()
     on conflict (name) do update set derived_at = now()`,
    [MAPPING.entities.map(({ name }) => name)],
  );
});

const prove = (): Promise<AccountProof> =>
  proveAccount({
    target: bench.target,
    source: bench.source,
    model: bench.model,
    entities: null,
    maxListed: 5,
    observer: bench.notes,
    signal: new AbortController().signal,
  });

const of = (proof: AccountProof, name: string) => {
  const found = proof.entities.find(({ entity }) => entity === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

async function plant(sql: string): Promise<void> {
  const client = await bench.pair.target.client();
  await client.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
}

test('every root is accounted for, and amounts add up over all of them', async () => {
  const proof = await prove();
  expect([proof.agrees, proof.isSettled]).toEqual([true, true]);
  expect(of(proof, 'bill')).toMatchObject({
    ...{ mirrorRows: 8, tombstones: 1, applied: 4, held: 1, quarantined: 2 },
    ...{ excluded: { a_test: 1 }, extraRows: 0, sourceRows: 0 },
  });
  expect(of(proof, 'bill').sums[0]).toEqual({
    ...{ column: 'amount', targetColumn: 'total', agrees: true },
    source: { rows: 0, sum: '0' },
    mirror: { rows: 7, sum: '1112.88' },
    applied: { rows: 3, sum: '5.13' },
    held: { rows: 1, sum: '7.00' },
    quarantined: { rows: 2, sum: '1000.75' },
    excluded: { rows: 1, sum: '100.00' },
    difference: { rows: 0, sum: '0.00' },
  });
  expect(of(proof, 'grade')).toMatchObject({ sourceRows: 1, mirrorRows: 1, extraRows: 0 });
  expect(JSON.parse(JSON.stringify(proof))).toEqual(proof);
  const client = await openClient(bench.target, 'test');
  const status = await account(client, MAPPING);
  await client.end();
  expect(status.map((it) => [it.entity, it.applied, it.difference])).toEqual([
    ['customer', 2, 0],
    ['bill', 4, 0],
    ['flag', 2, 0],
    ['grade', 1, 0],
  ]);
  const target = await proofOf(bench);
  expect(faultLines(target)).toEqual([]);
  expect(target.tables.find(({ table }) => table === 'grades')).toEqual({
    table: 'grades',
    foreignRows: 1,
    seedRows: 1,
  });
});

test.each<[fault: string, sql: string, found: object, rows: readonly string[]]>([
  [
    'a cent more',
    `update bills set total = total + 0.01 where id = tandem.uuid_of('bill', 1)`,
    { sums: [{ difference: { rows: 0, sum: '-0.01' }, agrees: false }, { agrees: true }] },
    ['bill different 1 bills total'],
  ],
  [
    'a null in place of an amount of nothing',
    `update bills set total = 0 where id = tandem.uuid_of('bill', 3)`,
    { sums: [{ difference: { rows: -1, sum: '0.00' }, agrees: false }, { agrees: true }] },
    ['bill different 3 bills total'],
  ],
  [
    'a bill that is gone',
    `delete from bills where id = tandem.uuid_of('bill', 9007199254740993)`,
    { inNone: { count: 1, first: ['9007199254740993'] }, applied: 3 },
    ['bill missing 9007199254740993 bills'],
  ],
  [
    'a bill that no root yields',
    `insert into bills (id, customer_id, total)
       values (tandem.uuid_of('bill', 77), tandem.uuid_of('customer', '42'::text), 1)`,
    { extraRows: 1, sums: [{ difference: { rows: -1, sum: '-1.00' } }, {}] },
    ['bill extra - bills'],
  ],
  [
    'a root that ended in two ways',
    `insert into tandem.excluded values ('bill', '5', 'a_test')`,
    { inSeveral: { count: 1, first: ['5'] } },
    ['bill excluded extra 5 a_test'],
  ],
  [
    'an entry about no root',
    `insert into tandem.excluded values ('bill', '50', 'a_test')`,
    { strayEntries: 1 },
    ['bill excluded extra 50'],
  ],
])('%s', async (_fault, sql, found, rows) => {
  await plant(sql);
  const proof = await prove();
  expect(of(proof, 'bill')).toMatchObject({ ...found, agrees: false });
  expect(proof.agrees).toBe(false);
  expect(proof.entities.filter(({ agrees }) => !agrees).map(({ entity }) => entity)).toEqual([
    'bill',
  ]);
  expect(faultLines(await proofOf(bench))).toEqual(rows);
});

test('faults of roots with text and composite keys, and of issues, are named', async () => {
  await plant(
    `update flags set note = 'm' where note = 'n';
     delete from flags where note is null;
     delete from tandem.excluded where entity = 'flag';
     delete from customers where name = 'a';
     insert into customers select tandem.uuid_of('customer', 'gone'), 'z';
     delete from tandem.issue where root_key = '';
     update tandem.issue set reason = 'other' where root_key <> '';
     update grades set deleted_at = now() where title = 'two'`,
  );
  expect(faultLines(await proofOf(bench))).toEqual([
    // Its customer is gone, so it has to wait.
    'bill extra 9007199254740993 bills',
    'bill held missing 9007199254740993 customer_id',
    'bill issue extra 2 points',
    'bill issue missing  kind',
    'bill issue missing 2 points',
    'customer extra - customers',
    'customer missing it\'s "A" customers',
    'flag different ["a, \\"b\\"","t","xy   "] flags note',
    'flag excluded missing ["a","f","     "] marked',
    'flag missing ["ä","t","abcde"] flags',
    'grade different 2 grades deleted_at',
  ]);
  const proof = await prove();
  expect(of(proof, 'flag')).toMatchObject({
    inNone: { count: 2, first: ['["a","f","     "]', '["ä","t","abcde"]'] },
  });
  expect(of(proof, 'customer')).toMatchObject({ inNone: { count: 1 }, extraRows: 1 });
});

test('roots that a job has yet to derive are not judged', async () => {
  await plant(
    `delete from bills where id = tandem.uuid_of('bill', 1);
     insert into tandem.job (entity, values, reason) values ('bill', '{1}', 'test')`,
  );
  const proof = await prove();
  expect(of(proof, 'bill')).toMatchObject({ pendingRoots: 1, inNone: { count: 0 }, agrees: true });
  expect([proof.agrees, proof.isSettled]).toEqual([true, false]);
});
