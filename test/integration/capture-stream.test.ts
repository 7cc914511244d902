import { expect, test } from 'vitest';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { positionOf } from '../../connectors/postgres/replication-source.ts';
import { parseLsn } from '../../core/version.ts';
import { freshDatabase } from '../harness/database.ts';
import { brief, Capture, readUntil, rowOf } from './capture-harness.ts';

test('inserts, updates, deletes and a changed key arrive in order, with mapped columns only', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table note (secret text, id int primary key, body text)`);
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  await db.query(`begin; insert into note values ('x', 1, 'a'); update note set body = 'b';
    update note set id = 2; delete from note; insert into note values ('y', 3, null); commit`);
  const { events, batches } = await capture.read((seen) => seen.events.length === 5);
  expect(events.map(brief)).toEqual([
    ['create', ['1', 'a']],
    ['update', ['1', 'b']],
    ['update', ['2', 'b'], { oldKey: ['1'] }],
    ['delete', ['2']],
    ['create', ['3', null]],
  ]);
  expect(batches.filter((batch) => batch.events.length > 0)).toHaveLength(1);
});

/** Column types, and values that a conversion would spoil. */
const VALUES: readonly (readonly [type: string, ...values: string[]])[] = [
  ['smallint', '-32768', '32767'],
  ['integer', '-2147483648', '2147483647'],
  ['bigint', '-9223372036854775808', '9223372036854775807'],
  ['numeric', 'NaN', '123456789012345678901234567890.123456789', '-0.00', '1e-50'],
  ['numeric(12,4)', '99999999.9999', '0'],
  ['real', 'NaN', 'Infinity', '-Infinity', '1.1754944e-38', '0.1', '-0'],
  ['double precision', 'NaN', '-Infinity', '0.1', '1e308', '5e-324', '-0'],
  ['boolean', 'true', 'false'],
  ['text', '', ' ', 'null', 'Zoë 🦷 \u4e2d', 'a\tb\nc\\d', `"quoted", 'too'`, '\u00e9'],
  ['varchar(10)', 'äöüäöüäöüß', 'NULL'],
  ['char(5)', 'ab', ''],
  ['"char"', 'x'],
  ['name', 'Name'],
  ['bytea', '\\x00ff10', '\\x'],
  ['date', 'infinity', '-infinity', '0044-03-15 BC', '5874897-12-31'],
  ['time', '24:00:00', '01:02:03.000001'],
  ['timetz', '10:00:00+05:30'],
  ['timestamp', 'infinity', '2024-02-29 23:59:59.999999', '0001-01-01 00:00:00 BC'],
  ['timestamptz', '-infinity', '2024-10-27 02:30:00+02', '294276-12-31 23:59:59.999999+00'],
  ['timestamp(0)', '2024-05-05 05:05:05.6'],
  ['interval', '-1 year 2 mons -3 days 04:05:06.789', '0'],
  ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
  ['json', '{"b":1,  "a": [1.0, "\\u00e9"]}'],
  ['jsonb', '{"b":1, "a": [1.0, null], "big": 12345678901234567890}', 'null'],
  ['integer[]', '{1,NULL,3}', '{}', '{{1,2},{3,4}}', '[0:1]={7,8}'],
  ['text[]', '{"a,b","c\\"d",NULL,"NULL",""}'],
  ['bit(5)', '10101'],
  ['varbit', '1'],
  ['inet', '10.0.0.1/8', '::1'],
  ['point', '(1.5,-2)'],
  ['int4range', '[1,5)', 'empty'],
  ['tsvector', 'fat:2 cat:1A'],
  ['xml', '<a b="c"/>'],
  ['money', '12.34'],
  ['regclass', 'pg_class'],
  ['mood', 'so so', 'happy'],
  ['mood[]', '{"so so",NULL}'],
  ['posint', '7'],
  ['nested', '8'],
  ['label', 'x y'],
  ['pair', '(1,"a b")'],
];

test('every type arrives in the form the server itself prints', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const columns = VALUES.map(([type], i) => `c${i} ${type}`).join(', ');
  await db.query(`create type mood as enum ('so so', 'happy'); create type pair as (a int, b text);
    create domain posint as int check (value > 0); create domain nested as posint;
    create domain label as varchar(5); create table sample (id int primary key, ${columns})`);
  const names = VALUES.map((_, i) => `c${i}`);
  const capture = await Capture.setUp(db, { sample: { key: ['id'], columns: names } });
  const rows = Math.max(...VALUES.map(([, ...values]) => values.length)) + 1;
  for (let id = 0; id < rows; id++) {
    const given = VALUES.map(([, ...values]) => values[id] ?? null);
    const places = VALUES.map(([type], i) => `$${i + 2}::text::${type}`).join(', ');
    await db.query(`insert into sample values ($1, ${places})`, [id, ...given]);
  }
  const { events } = await capture.read((seen) => seen.events.length === rows);
  const client = await openClient(capture.database, 'test');
  const select = capture
    .table('sample')
    .columns.map((column) => `"${column.name}"`)
    .join(', ');
  const printed = await textRows(client, `select ${select} from public.sample order by id`);
  await client.end();
  expect(events.map(rowOf)).toEqual(printed);
});

test('a mirror column has the type of the source, and text where the target cannot have it', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create type mood as enum ('ok'); create domain label as varchar(5);
    create table sample (b varchar(7)[], id bigint primary key, m mood, ms mood[], l label,
      r regclass, n numeric(5,2), t timestamptz(3))`);
  const columns = ['b', 'm', 'ms', 'l', 'r', 'n', 't'];
  const capture = await Capture.setUp(db, { sample: { key: ['id'], columns } });
  const { columns: found } = capture.table('sample');
  expect(found.map(({ name, type, sourceType }) => [name, type, sourceType])).toEqual([
    ['id', 'bigint', 'bigint'],
    ['b', 'character varying(7)[]', 'character varying(7)[]'],
    ['m', 'text', 'public.mood'],
    ['ms', 'text[]', 'public.mood[]'],
    ['l', 'character varying(5)', 'public.label'],
    ['r', 'text', 'regclass'],
    ['n', 'numeric(5,2)', 'numeric(5,2)'],
    ['t', 'timestamp(3) with time zone', 'timestamp(3) with time zone'],
  ]);
});

const BIG = `(select string_agg(md5(i::text), '') from generate_series(1, 400) as i)`;

test('a TOAST value that did not change is undefined, and with REPLICA IDENTITY FULL it is filled in', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table doc (id int primary key, big text, n int);
    alter table doc alter big set storage external; insert into doc select 1, ${BIG}, 0`);
  const capture = await Capture.setUp(db, { doc: { key: ['id'], columns: ['big', 'n'] } });
  await db.query('update doc set n = 1');
  await db.query('update doc set n = null, id = 2');
  await db.query(`alter publication "pub ""it's""" drop table doc;
    alter table doc replica identity full; alter publication "pub ""it's""" add table doc`);
  await db.query('update doc set n = 3');
  await db.query('update doc set id = 4, n = null');
  await db.query('delete from doc');
  const { events } = await capture.read((seen) => seen.events.length === 5);
  const [row] = await db.query(`select ${BIG} as big`);
  expect(events.map(brief)).toEqual([
    ['update', ['1', undefined, '1']],
    ['update', ['2', undefined, null], { oldKey: ['1'] }],
    ['update', ['2', row?.['big'], '3']],
    ['update', ['4', row?.['big'], null], { oldKey: ['2'] }],
    ['delete', ['4']],
  ]);
  expect(rowOf(events[0])).toHaveLength(3);
});

test('a composite key stands first, and its old value comes as a whole', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table link (note text, b int, a int, primary key (a, b))`);
  const capture = await Capture.setUp(db, { link: { key: ['a', 'b'], columns: ['note'] } });
  await db.query(`insert into link values ('n', 2, 1)`);
  await db.query('update link set b = 3');
  await db.query(`update link set note = 'm'`);
  await db.query('delete from link');
  const { events } = await capture.read((seen) => seen.events.length === 4);
  expect(events.map(brief)).toEqual([
    ['create', ['1', '2', 'n']],
    ['update', ['1', '3', 'n'], { oldKey: ['1', '2'] }],
    ['update', ['1', '3', 'm']],
    ['delete', ['1', '3']],
  ]);
});

test('a truncate is one event per mapped table', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table parent (id int primary key); create table other (id int primary key);
    create table child (id int primary key, parent int references parent)`);
  const capture = await Capture.setUp(db, {
    parent: { key: ['id'], columns: [] },
    child: { key: ['id'], columns: ['parent'] },
  });
  await db.query(`alter publication "pub ""it's""" add table other`);
  await db.query('truncate other, parent restart identity cascade');
  await db.query('truncate other');
  await db.query('insert into parent values (1)');
  const { events } = await capture.read((seen) => seen.events.length === 3);
  const briefs = events.map(brief);
  expect(briefs).toHaveLength(3);
  expect(briefs).toEqual(
    expect.arrayContaining([
      ['truncate', 'parent'],
      ['truncate', 'child'],
      ['create', ['1']],
    ]),
  );
});

test('versions are ordered as the source committed, and carry its commit time', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  const early = await db.client();
  await early.query('begin; insert into note values (1)');
  await db.query('insert into note values (2)');
  await early.query('insert into note values (3); commit');
  const { events } = await capture.read((seen) => seen.events.length === 3);
  expect(events.map(brief)).toEqual([
    ['create', ['2']],
    ['create', ['1']],
    ['create', ['3']],
  ]);
  const [second, first, third] = events.map((event) => event.version);
  if (!second || !first || !third) throw new Error('three events');
  expect(first.commitLsn).toBe(third.commitLsn);
  expect(second.commitLsn < first.commitLsn).toBe(true);
  expect(first.changeLsn < second.changeLsn && second.changeLsn < third.changeLsn).toBe(true);
  expect(first.changeLsn >= capture.start).toBe(true);
  const [now] = await db.query(
    `select $1::text::timestamptz between now() - interval '1 minute' and now() as it,
       $1::text = to_char($1::text::timestamptz at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as form`,
    [events[0]?.committedAt],
  );
  expect(now).toEqual({ it: true, form: true });
});

test('a transaction larger than the limit arrives in pieces, and nothing else beside them', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key, body text)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  await db.query(`insert into note values (-1, 'before')`);
  await db.query(`insert into note select i, repeat('x', 1000) from generate_series(1, 2000) as i`);
  await db.query(`insert into note values (-2, 'after')`);
  const maxBytes = 300_000;
  const seen = await capture.read((it) => it.events.length === 2002, { maxBytes });
  const filled = seen.batches.filter((batch) => batch.events.length > 0);
  expect(filled.map((batch) => batch.complete)).toEqual([
    true,
    ...Array.from({ length: filled.length - 3 }, () => false),
    true,
    true,
  ]);
  expect(filled.length).toBeGreaterThan(6);
  for (const batch of filled) expect(batch.bytes).toBeLessThan(2 * maxBytes);
  const keys = seen.events.map((event) => Number(rowOf(event)[0]));
  expect(keys).toEqual([-1, ...Array.from({ length: 2000 }, (_, i) => i + 1), -2]);
  // A piece cannot be gone on from: its position is that of what came before.
  expect(filled[1]?.position).toBe(filled[0]?.position);
});

test('small transactions that are waiting come as one batch, within the limits', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  for (let i = 0; i < 40; i++) await db.query('insert into note values ($1)', [i]);
  const { batches } = await capture.read((seen) => seen.events.length === 40, { maxEvents: 15 });
  for (const batch of batches) expect(batch.events.length).toBeLessThanOrEqual(15);
  const together = await capture.read((seen) => seen.events.length === 40);
  expect(together.batches.length).toBeLessThan(20);
});

test('going on from any position brings what committed later, all of it and only once', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  // Transactions that commit together: their commit records stand side by side in the WAL.
  const clients = await Promise.all(Array.from({ length: 8 }, () => db.client()));
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      clients.map(async (client, i) => {
        await client.query('begin');
        await client.query('insert into note values ($1)', [round * 8 + i]);
        await client.query('commit');
      }),
    );
  }
  const all = await capture.read((seen) => seen.events.length === 40, { maxEvents: 1 });
  const keys = all.events.map((event) => rowOf(event)[0]);
  expect(new Set(keys).size).toBe(40);
  const filled = all.batches.filter((batch) => batch.events.length > 0);
  for (const done of [1, 7, 8, 9, 23, 39]) {
    const after = filled[done - 1]?.position ?? capture.position;
    const rest = await readUntil(
      capture.source(),
      after,
      (seen) => seen.events.length >= 40 - done,
    );
    expect(rest.events.map((event) => rowOf(event)[0])).toEqual(keys.slice(done));
  }
});

test('what is confirmed goes out exactly, so the commit right behind it comes again', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  for (let i = 0; i < 5; i++) await db.query('insert into note values ($1)', [i]);
  const first = await capture.read((seen) => seen.events.length >= 3, { maxEvents: 1 });
  const source = capture.source();
  const end = new AbortController();
  const limits = { maxBytes: 1e6, maxEvents: 10, signal: end.signal };
  for await (const _ of source.batches(capture.position, limits)) {
    await source.confirm(first.position);
    end.abort();
  }
  const [slot] = await db.query(
    'select confirmed_flush_lsn as lsn from pg_replication_slots where slot_name = $1',
    [capture.slot],
  );
  expect(positionOf(parseLsn(String(slot?.['lsn'])))).toBe(first.position);
});

test('a column that the mapping does not use may come and go', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key, gone text, body text)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  await db.query(`insert into note values (1, 'g', 'one'); alter table note drop gone;
    alter table note add fresh int; insert into note values (2, 'two', 7)`);
  const { events } = await capture.read((seen) => seen.events.length === 2);
  expect(events.map(brief)).toEqual([
    ['create', ['1', 'one']],
    ['create', ['2', 'two']],
  ]);
});

test.each([
  ['alter table note rename body to text', 'column=body'],
  ['alter table note alter body type int using 1', 'column=body'],
  ['alter table note alter body type text', 'column=body'],
  ['alter table note replica identity nothing', 'NOTHING'],
  ['alter table note drop constraint note_pkey', 'column=id'],
])('after "%s" the stream stops, behind what came before', async (change, named) => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key, body varchar(10))');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  // A list of columns in the publication would refuse most of these changes.
  await db.query(`alter publication "pub ""it's""" set table note`);
  await db.query(`insert into note values (1, 'one')`);
  await db.query(`${change}; insert into note values (2, '2')`);
  const seen: unknown[] = [];
  const reading = capture.read(({ events }) => {
    seen.splice(0, seen.length, ...events.map(brief));
    return false;
  });
  await expect(reading).rejects.toMatchObject({ code: 'RELATION_CHANGED' });
  await expect(reading).rejects.toThrow(`table=note`);
  await expect(reading).rejects.toThrow(named);
  expect(seen).toEqual([['create', ['1', 'one']]]);
});

test('a column that became narrower than the mirror is read on', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id bigint primary key, body varchar(10))');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  await db.query(`alter publication "pub ""it's""" set table note`);
  await db.query(`alter table note alter body type varchar(5); insert into note values (1, 'a')`);
  const { events } = await capture.read((seen) => seen.events.length === 1);
  expect(events.map(brief)).toEqual([['create', ['1', 'a']]]);
});

test('a partitioned table sends its rows under its own name', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create table note (id int, day date, primary key (id, day)) partition by range (day);
    create table note_2024 partition of note for values from ('2024-01-01') to ('2025-01-01')`);
  const capture = await Capture.setUp(db, { note: { key: ['id', 'day'], columns: [] } });
  await db.query(`insert into note values (1, '2024-05-05')`);
  const { events } = await capture.read((seen) => seen.events.length === 1);
  expect(events.map(brief)).toEqual([['create', ['1', '2024-05-05']]]);
});
