import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { startFailure } from '../../demo/servers/postmaster.ts';
import { waitFor } from '../harness/wait-for.ts';
import { isAlive } from '../../demo/servers/is-alive.ts';

const FAST = { fsync: 'off' };

test('a server answers, with logical decoding and durable commits, on loopback only', async () => {
  await using server = await startPostgres();
  const facts = await select(
    server.connectionString(),
    `select concat_ws(' ', current_setting('wal_level'), current_setting('fsync'),
       current_setting('listen_addresses'), current_setting('server_encoding'), datcollate) as it
     from pg_database where datname = current_database()`,
  );
  expect(facts).toBe('logical on 127.0.0.1 UTF8 C');
});

test('a wrong password is refused', async () => {
  await using server = await startPostgres({ settings: FAST, password: "it's 100% / secret" });
  expect(await select(server.connectionString(), 'select 1 as it')).toBe(1);
  const url = new URL(server.connectionString());
  url.password = 'wrong';
  await expect(select(url.href, 'select 1 as it')).rejects.toMatchObject({ code: '28P01' });
});

test('data survive a restart, a crash, and the kill of the postmaster, on the same port', async () => {
  await using server = await startPostgres({ settings: FAST });
  const url = server.connectionString();
  await select(url, 'create table note (id int)');
  const crashes = [
    () => server.restart(),
    () => server.restart('immediate'),
    async () => {
      await server.kill();
      await expect(select(url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await server.start();
    },
  ];
  for (const crash of crashes) {
    const pid = server.pid;
    await select(url, 'insert into note values (1)');
    await crash();
    expect(server.pid).not.toBe(pid);
    expect(server.connectionString()).toBe(url);
  }
  expect(await select(url, 'select count(*)::int as it from note')).toBe(3);
});

test('an open transaction does not hold up the stop, and the stop removes the data', async () => {
  const server = await startPostgres({ settings: FAST });
  const { pid, dataDirectory } = server;
  const client = new pg.Client({ connectionString: server.connectionString() });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin; create table note (id int)');
  await server.stop();
  await server.stop();
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(dirname(dataDirectory))).toBe(false);
});

test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'a server ends, with its data, when its program ends by %s',
  async (signal) => {
    const { program, pid, dataDirectory } = await startInChild({ settings: FAST });
    program.kill(signal);
    await waitFor(async () => !isAlive(pid) && !existsSync(dirname(dataDirectory)), {
      what: 'the server and its data to be gone',
    });
  },
);

test('a server that is to be kept outlives its program', async () => {
  const { program, pid, dataDirectory } = await startInChild({ settings: FAST, keep: true });
  program.kill('SIGKILL');
  await once(program, 'exit');
  expect(isAlive(pid)).toBe(true);
  process.kill(pid, 'SIGQUIT');
  await waitFor(async () => !isAlive(pid), { what: 'the kept server to stop' });
  expect(existsSync(dataDirectory)).toBe(true);
  rmSync(dirname(dataDirectory), { recursive: true });
});

test('a server that cannot start says why', async () => {
  const broken = startPostgres({ settings: { ...FAST, wal_level: 'psychic' } });
  await expect(broken).rejects.toThrow(/invalid value for parameter "wal_level": "psychic"/);
});

test('only a taken port and leftovers of a crash are worth another attempt', () => {
  const bind = 'could not bind IPv4 address "127.0.0.1": Address already in use';
  expect(startFailure(`LOG: ${bind}\nFATAL: could not create any TCP/IP sockets`)).toBe(
    'portTaken',
  );
  expect(
    startFailure('FATAL: pre-existing shared memory block (key 1, ID 2) is still in use'),
  ).toBe('oldProcessesStillThere');
  expect(startFailure('FATAL: invalid value for parameter')).toBe('broken');
});

/** The value `it` of the first row. */
async function select(connectionString: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ it: unknown }>(sql);
    return rows[0]?.it;
  } finally {
    await client.end();
  }
}

type InChild = {
  readonly program: ChildProcess;
  readonly pid: number;
  readonly dataDirectory: string;
};

/** A Node process of its own that starts a server, tells about it, and waits to be killed. */
async function startInChild(options: object): Promise<InChild> {
  const module = new URL('../../demo/servers/postgres.ts', import.meta.url).href;
  const code = `
    import { startPostgres } from ${JSON.stringify(module)};
    const { pid, dataDirectory } = await startPostgres(${JSON.stringify(options)});
    console.log(JSON.stringify({ pid, dataDirectory }));
    setInterval(() => undefined, 1000);`;
  const program = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', code],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface(program.stdout), 'line')) as [string];
  return { program, ...(JSON.parse(line) as Omit<InChild, 'program'>) };
}
