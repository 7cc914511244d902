import { expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import { readSettings } from '../../cli/read-settings.ts';
import { textRows } from '../../connectors/postgres/connection.ts';
import { ask } from '../../monitoring/sample/ask.ts';
import { freshDatabase } from '../harness/database.ts';
import { startProxy } from '../harness/proxy.ts';

async function reachable() {
  const database = await freshDatabase();
  const { hostname, port } = new URL(database.connectionString);
  const proxy = await startProxy({ host: hostname, port: Number(port) });
  const TARGET_URL = `${proxy.through(database.connectionString)}?sslmode=disable`;
  const environment = { SOURCE_URL: 'postgresql://nobody@127.0.0.1/none', TARGET_URL };
  const workFolder = import.meta.dirname;
  const reading = readSettings({ flags: {}, environment, workFolder, envFile: null });
  const { target } = buildConfig(reading, workFolder);
  return {
    ...{ target, proxy },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

const never = new AbortController().signal;
const limits = { deadlineMs: 20_000, signal: never };

test('a database that is asked answers over a session that is gone afterwards', async () => {
  await using place = await reachable();
  const answer = await ask(place.target, limits, (client) => textRows(client, 'select 1 + 1'));
  expect(answer).toEqual({ value: [['2']] });
  expect(place.proxy.connections).toBe(0);
});

test('a database that has fallen silent is given up at the deadline, at any moment', async () => {
  await using place = await reachable();
  const silent = await ask(place.target, { deadlineMs: 400, signal: never }, (client) => {
    place.proxy.halfOpen(true);
    return textRows(client, 'select 1');
  });
  expect(silent).toMatchObject({ failure: { code: 'TARGET_UNREACHABLE' } });
  // Not even the login is answered.
  const deaf = await ask(place.target, { deadlineMs: 400, signal: never }, async () => 1);
  expect(deaf).toMatchObject({ failure: { code: 'TARGET_UNREACHABLE' } });
});

test('whoever is told to stop does not wait for an answer', async () => {
  await using place = await reachable();
  const stop = new AbortController();
  const answer = await ask(place.target, { deadlineMs: 60_000, signal: stop.signal }, (client) => {
    const sleeping = textRows(client, 'select pg_sleep(60)');
    stop.abort();
    return sleeping;
  });
  expect(answer).toMatchObject({ failure: { code: 'TARGET_UNREACHABLE' } });
});

test('a refused statement is a failure with a name', async () => {
  await using place = await reachable();
  const answer = await ask(place.target, limits, (client) => textRows(client, 'select nothing'));
  expect(answer).toMatchObject({ failure: { code: 'TARGET_FAILED' } });
});
