import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { freshDatabase, freshPair, testServerUrl } from '../harness/database.ts';
import { startProxy, type Proxy } from '../harness/proxy.ts';
import { waitFor } from '../harness/wait-for.ts';

test('what one test writes, no other test sees', async () => {
  await using one = await freshDatabase();
  await using other = await freshDatabase();
  await one.query('create table note (id int); insert into note values (7)');
  expect(await one.query('select id from note where id = $1', [7])).toEqual([{ id: 7 }]);
  expect(await other.query(`select to_regclass('note') as note`)).toEqual([{ note: null }]);
});

test('a database goes although it has slots, connections and an open transaction', async () => {
  const pair = await freshPair();
  const { source } = pair;
  expect(source.connectionString).not.toBe(pair.target.connectionString);
  await source.query(`select pg_create_logical_replication_slot('s_${source.name}', 'pgoutput')`);
  const client = await source.client();
  await client.query('begin; create table note (id int)');
  const sleep = expect(client.query('select pg_sleep(60)')).rejects.toThrow(/terminat/);
  await pause(50);
  await pair[Symbol.asyncDispose]();
  await sleep;

  await using other = await freshDatabase({ on: 'source' });
  const slots = 'select from pg_replication_slots where database = $1';
  expect(await other.query(slots, [source.name])).toEqual([]);
  expect(await other.query('select from pg_database where datname = $1', [source.name])).toEqual(
    [],
  );
});

test('a fact that does not come is named in the error', async () => {
  let asked = 0;
  expect(await waitFor(async () => ++asked === 3 && 'there', { what: 'three' })).toBe('there');
  const never = waitFor(async () => null, { timeoutMs: 30, what: 'Godot' });
  await expect(never).rejects.toThrow('timed out after 30 ms waiting for Godot');
});

test('a cut ends the connection, and the next one works', async () => {
  await using proxy = await startTestProxy();
  const client = await connectBy(proxy);
  const sleep = expect(client.query('select pg_sleep(60)')).rejects.toThrow();
  expect(proxy.connections).toBe(1);
  proxy.cut();
  await sleep;
  const next = await connectBy(proxy);
  await next.end();
});

test('a half-open connection answers nothing, closes nothing, and can come back', async () => {
  await using proxy = await startTestProxy();
  const client = await connectBy(proxy);
  proxy.halfOpen(true);
  const answer = client.query('select 1 as it');
  expect(await Promise.race([answer, pause(200, 'silence')])).toBe('silence');
  proxy.halfOpen(false);
  expect((await answer).rows).toEqual([{ it: 1 }]);
  await client.end();
});

test('a slow network is slow both ways, and keeps the order', async () => {
  await using proxy = await startTestProxy();
  const client = await connectBy(proxy);
  proxy.delay(60);
  const start = performance.now();
  const { rows } = await client.query<{ n: number }>(
    'select n from generate_series(1, 50000) as n',
  );
  expect(performance.now() - start).toBeGreaterThan(119);
  expect(rows.every((row, i) => row.n === i + 1)).toBe(true);
  await client.end();
});

test('a refused connection is refused by the system, and open ones go on', async () => {
  await using proxy = await startTestProxy();
  const client = await connectBy(proxy);
  await proxy.refuse(true);
  await expect(connectBy(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect((await client.query('select 1 as it')).rows).toEqual([{ it: 1 }]);
  await proxy.refuse(false);
  await (await connectBy(proxy)).end();
  await client.end();
});

function startTestProxy(): Promise<Proxy> {
  const { hostname, port } = new URL(testServerUrl('target'));
  return startProxy({ host: hostname, port: Number(port) });
}

async function connectBy(proxy: Proxy): Promise<pg.Client> {
  const connectionString = proxy.through(testServerUrl('target'));
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
