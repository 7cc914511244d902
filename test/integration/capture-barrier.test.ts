import { expect, test } from 'vitest';
import { barrier, PostgresSourceReader } from '../../connectors/postgres/barrier.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { mirrorTables } from '../../connectors/postgres/mirror-tables.ts';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { waitFor } from '../harness/wait-for.ts';
import { clock, sourceAt } from './capture-harness.ts';

/** Whether something that was started is still running, after as long as `other` takes. */
function watch(work: Promise<unknown>): { isDone: boolean } {
  const state = { isDone: false };
  work.then(
    () => (state.isDone = true),
    () => (state.isDone = true),
  );
  return state;
}

async function isWaiting(db: TestDatabase, what: string): Promise<boolean> {
  const [row] = await db.query(
    `select exists (select from pg_stat_activity where datname = current_database() and ${what}) as it`,
  );
  return row?.['it'] === true;
}

test('a barrier waits for a statement that has written, and then sees it', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const writer = await db.client();
  const writing = writer.query(
    `with new as (insert into note values (1) returning id) select pg_sleep(0.6) from new`,
  );
  await waitFor(() => isWaiting(db, `backend_xid is not null and wait_event = 'PgSleep'`), {
    what: 'the writer',
  });
  const database = sourceAt(db.connectionString);
  const client = await openClient(database, 'test');
  const lsn = await barrier(client, { clock });
  const [row] = await textRows(client, 'select count(*) from public.note');
  expect(row).toEqual(['1']);
  await writing;
  const [now] = await textRows(client, 'select pg_current_wal_insert_lsn() >= $1::pg_lsn', [
    `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`,
  ]);
  expect(now).toEqual(['t']);
  await client.end();
});

test('a barrier does not wait for a session that forgot to commit, nor for one that only reads', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const forgetful = await db.client();
  await forgetful.query('begin; insert into note values (1)');
  const reader = await db.client();
  const reading = reader.query('select pg_sleep(30)').catch(() => undefined);
  await waitFor(() => isWaiting(db, `wait_event = 'PgSleep'`), { what: 'the reader' });
  const client = await openClient(sourceAt(db.connectionString), 'test');
  await barrier(client, { clock, timeoutMs: 5_000 });
  await client.end();
  await forgetful.query('commit');
  await db.query(`select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'
    and datname = current_database()`);
  await reading;
});

test('a barrier that must wait too long says for whom', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const writer = await db.client();
  const [self] = (await writer.query<{ pid: number }>('select pg_backend_pid() as pid')).rows;
  const writing = writer
    .query(`with new as (insert into note values (1) returning id) select pg_sleep(60) from new`)
    .catch(() => undefined);
  await waitFor(() => isWaiting(db, `backend_xid is not null and wait_event = 'PgSleep'`), {
    what: 'the writer',
  });
  const client = await openClient(sourceAt(db.connectionString), 'test');
  const failed = barrier(client, { clock, timeoutMs: 100 });
  await expect(failed).rejects.toMatchObject({
    code: 'TIMED_OUT',
    details: { pids: String(self?.pid) },
  });
  await client.end();
  await db.query('select pg_cancel_backend($1)', [self?.pid]);
  await writing;
});

test('a commit that is in the WAL but not visible yet is behind the barrier', async () => {
  // A synchronous standby that never answers: the commit record is written, nobody sees the row.
  await using server = await startPostgres({ settings: { fsync: 'off' } });
  const database = sourceAt(server.connectionString());
  const client = await openClient(database, 'test');
  await textRows(client, 'create table public.note (id int primary key, body text)');
  await textRows(client, `alter system set synchronous_standby_names = 'nobody'`);
  await textRows(client, 'select pg_reload_conf()');
  const writer = await openClient(database, 'writer');
  const count = async () => (await textRows(client, 'select count(*) from public.note'))[0]?.[0];
  const sessions = async (what: string) =>
    (await textRows(client, `select pid from pg_stat_activity where ${what}`))[0]?.[0] ?? null;
  await waitFor(
    async () =>
      (await textRows(client, 'show synchronous_standby_names'))[0]?.[0] === 'nobody' || null,
    { what: 'the setting' },
  );
  const writing = writer.query(`insert into public.note values (7, 'seven')`);
  const pid = await waitFor(() => sessions(`wait_event = 'SyncRep'`), { what: 'the commit' });
  expect(await count()).toBe('0');

  const tables = await mirrorTables(
    client,
    new Map([['note', { key: ['id'], columns: ['body'] }]]),
  );
  const table = tables.get('note');
  if (table === undefined) throw new Error('no table');
  const reader = new PostgresSourceReader({ database, clock });
  const read = reader.readByKey(table, [['7'], ['8']]);
  const state = watch(read);
  await waitFor(() => sessions(`application_name = 'tandem reader' and state = 'idle'`), {
    what: 'the reader to wait',
  });
  expect(state.isDone).toBe(false);
  await textRows(client, 'select pg_cancel_backend($1::int)', [pid]);
  await writing;
  expect((await read).rows).toEqual([['7', 'seven']]);
  await reader.close();
  await writer.end();
  await client.end();
});

test('rows are read by composite, enum, domain and text keys, in the order of the mirror', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query(`create type mood as enum ('ok', 'so so'); create domain code as varchar(9);
    create table sample (flag boolean, pad char(4), m mood, c code, t text, n numeric,
      primary key (t, m, c, n));
    insert into sample values (true, 'ab', 'so so', 'x', 'quote"d, {\\}', 1.50),
      (false, null, 'ok', 'x', 'plain', -1)`);
  const database = sourceAt(db.connectionString);
  const client = await openClient(database, 'test');
  const key = ['t', 'm', 'c', 'n'];
  const wanted = new Map([['sample', { key, columns: ['flag', 'pad'] }]]);
  const table = (await mirrorTables(client, wanted)).get('sample');
  await client.end();
  if (table === undefined) throw new Error('no table');
  const reader = new PostgresSourceReader({ database, clock });
  const { rows } = await reader.readByKey(table, [
    ['quote"d, {\\}', 'so so', 'x', '1.5'],
    ['plain', 'ok', 'x', '-1'],
    ['missing', 'ok', 'x', '0'],
  ]);
  expect([...rows].sort()).toEqual([
    ['plain', 'ok', 'x', '-1', 'f', null],
    ['quote"d, {\\}', 'so so', 'x', '1.50', 't', 'ab  '],
  ]);
  await reader.close();
});

test('a reader comes back after its connection was lost', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key); insert into note values (1)');
  const database = sourceAt(db.connectionString);
  const client = await openClient(database, 'test');
  const tables = await mirrorTables(client, new Map([['note', { key: ['id'], columns: [] }]]));
  await client.end();
  const table = tables.get('note');
  if (table === undefined) throw new Error('no table');
  const reader = new PostgresSourceReader({ database, clock });
  expect((await reader.readByKey(table, [['1']])).rows).toEqual([['1']]);
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'tandem reader'`,
  );
  await expect(reader.readByKey(table, [['1']])).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
  });
  expect((await reader.readByKey(table, [['1']])).rows).toEqual([['1']]);
  await reader.close();
});
