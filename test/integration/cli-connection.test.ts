import { chownSync, statSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkConnection } from '../../cli/check/connection-check.ts';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { databaseOf } from '../harness/apply-bench.ts';
import { freshDatabase, freshPair, testServerUrl } from '../harness/database.ts';
import { selfSigned } from '../harness/self-signed.ts';
import { smallWorkplace, urlWith } from './cli-small-mapping.ts';

test.each<[string, (url: URL) => void, string, RegExp, RegExp]>([
  [
    'a wrong password',
    (url: URL) => (url.password = 'wrong'),
    'LOGIN_REFUSED',
    /password authentication failed/,
    /Correct the password of postgres/,
  ],
  [
    'a database that is missing',
    (url: URL) => (url.pathname = '/nowhere'),
    'LOGIN_REFUSED',
    /"nowhere" does not exist/,
    /the server at .* has no nowhere/,
  ],
  [
    'a role that is missing',
    (url: URL) => (url.username = 'nobody'),
    'LOGIN_REFUSED',
    /password authentication failed/,
    /nobody/,
  ],
  [
    'a port where nothing listens',
    (url: URL) => (url.port = '1'),
    'UNREACHABLE',
    /ECONNREFUSED/,
    /nothing listens at 127\.0\.0\.1:1/,
  ],
  [
    'a host that is not known',
    (url: URL) => (url.hostname = 'nowhere.invalid'),
    'UNREACHABLE',
    /ENOTFOUND|EAI_AGAIN/,
    /name nowhere\.invalid is not known/,
  ],
  [
    'TLS that the server lacks',
    (url: URL) => (url.search = '?sslmode=require'),
    'TLS_REFUSED',
    /does not support SSL/,
    /SSL_CA|_SSL/,
  ],
])('%s: one message with the next step, on either side', async (_, change, code, reason, mend) => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const { SOURCE_URL = '', TARGET_URL = '' } = work.environment;
  for (const [side, flag, url] of [
    ['source', '--source', SOURCE_URL],
    ['target', '--target', TARGET_URL],
  ] as const) {
    const broken = [flag, urlWith(url, change)];
    const checked = await work.check(...broken);
    expect(checked.code).toBe(1);
    expect(checked.of(`${side}: log in`)).toMatchObject({
      status: 'failure',
      found: expect.stringMatching(reason) as unknown,
      mend: expect.stringMatching(mend) as unknown,
    });
    const other = side === 'source' ? 'target' : 'source';
    expect(checked.of(`${other}: log in`).status).toBe('ok');

    const ran = await work.run('setup', ...broken);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err.split('\n')).toHaveLength(3);
    expect(ran.err).toMatch(
      new RegExp(`^error: (${side.toUpperCase()}_)?${code} side=${side} .*\nnext: {2}.+\n$`),
    );
    expect(ran.err).not.toContain('wrong');
  }
});

test('a role that may not log in is told apart from a wrong password', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const role = `${pair.source.name}_r`;
  await pair.source.query(`create role ${role} nologin password 'x'`);
  try {
    const url = urlWith(pair.source.connectionString, (it) => {
      it.username = role;
      it.password = 'x';
    });
    const { of } = await work.check('--source', url);
    expect(of('source: log in').mend).toContain(`alter role ${role} login;`);
  } finally {
    await pair.source.query(`drop role ${role}`);
  }
});

test('a pooler that refuses startup options is named, and what to use instead', async () => {
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  await using pooler = await listen((socket) => {
    socket.on('data', (bytes) => {
      // 8 bytes are the SSLRequest; what follows is the startup message.
      if (bytes.length === 8) return void socket.write('N');
      const fields = ['SFATAL', 'VFATAL', 'C08P01', 'Munsupported startup parameter: options'];
      const body = Buffer.from(`${fields.join('\0')}\0\0`);
      const head = Buffer.alloc(5);
      head.write('E');
      head.writeInt32BE(body.length + 4, 1);
      socket.end(Buffer.concat([head, body]));
    });
  });
  const url = `postgresql://u:p@127.0.0.1:${pooler.port}/d`;
  for (const flags of [
    ['--source', url],
    ['--target', url],
  ]) {
    const { code, err } = await work.run('setup', ...flags);
    expect(code).toBe(1);
    expect(err).toMatch(
      /^error: POOLED_CONNECTION .*\nnext: {2}Use the direct connection string \(port 5432\)/,
    );
    const checked = await work.check(...flags);
    const side = flags[0] === '--source' ? 'source' : 'target';
    expect(checked.of(`${side}: direct connection`)).toMatchObject({ status: 'failure' });
  }
});

test('a pooler that lets our settings through is recognized by the process id it makes up', async () => {
  const { hostname, port } = new URL(testServerUrl('target'));
  await using pooler = await listen((socket) => {
    const server = connect(Number(port), hostname);
    socket.on('error', () => server.destroy()).on('close', () => server.destroy());
    server.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => {
      const key = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12])); // BackendKeyData
      if (key !== -1) bytes.writeInt32BE(7, key + 5);
      socket.write(bytes);
    });
  });
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const through = urlWith(pair.target.connectionString, (url) => (url.port = String(pooler.port)));
  const { code, of } = await work.check('--target', through);
  expect(code).toBe(1);
  expect(of('target: direct connection')).toMatchObject({
    status: 'failure',
    found: 'a pooler is in between',
  });
});

test('port 6543 is taken for a transaction pooler whatever answers there', async () => {
  await using db = await freshDatabase();
  const url = new URL(db.connectionString);
  const { Socket } = await import('node:net');
  /** Goes to the real server, whatever port it is told. */
  class Detour extends Socket {
    override connect(..._: unknown[]): this {
      return super.connect(Number(url.port), url.hostname);
    }
  }
  const { client, results } = await checkConnection({
    side: 'target',
    client: {
      ...{ host: url.hostname, port: 6543, user: url.username, password: url.password },
      ...{ database: db.name, ssl: false, stream: () => new Detour() },
    },
  });
  await client?.end();
  expect(results.at(-1)).toMatchObject({ name: 'direct connection', status: 'failure' });
});

test('TLS modes mean what they mean to libpq', async () => {
  const { certificate, key } = selfSigned();
  await using server = await startPostgres({ settings: { fsync: 'off' } });
  await using pair = await freshPair();
  using work = await smallWorkplace(pair);
  const { uid, gid } = statSync(server.dataDirectory);
  for (const [name, content] of [
    ['server.crt', certificate],
    ['server.key', key],
  ] as const) {
    const file = join(server.dataDirectory, name);
    writeFileSync(file, content, { mode: 0o600 });
    chownSync(file, uid, gid);
  }
  const plain = server.connectionString();
  const { default: pg } = await import('pg');
  const admin = new pg.Client({ connectionString: plain });
  await admin.connect();
  await admin.query('alter system set ssl = on');
  await admin.query('select pg_reload_conf()');
  await admin.end();
  await server.restart();
  const ca = work.write('ca.crt', certificate);

  const byName = urlWith(plain, (url) => (url.hostname = 'localhost'));
  const found = async (url: string, ...flags: string[]) =>
    (await work.check('--target', url, ...flags)).of('target: log in');
  const encrypted = { status: 'ok', found: expect.stringContaining('with TLS') as unknown };
  const clear = { status: 'ok', found: expect.stringContaining('without TLS') as unknown };
  const refused = { status: 'failure', mend: expect.stringContaining('TARGET_SSL_CA') as unknown };

  expect(await found(plain)).toMatchObject(encrypted);
  expect(await found(`${plain}?sslmode=disable`)).toMatchObject(clear);
  expect(await found(`${plain}?sslmode=require`)).toMatchObject(encrypted);
  expect(await found(`${plain}?sslmode=verify-ca`)).toMatchObject(refused);
  expect(await found(`${plain}?sslmode=verify-ca&sslrootcert=${ca}`)).toMatchObject(encrypted);
  expect(await found(`${byName}?sslmode=verify-full`)).toMatchObject(refused);
  expect(
    await found(byName, '--target-ssl', 'verify-full', '--target-ssl-ca', 'ca.crt'),
  ).toMatchObject(encrypted);
  expect(await found(`${plain}?sslmode=verify-full&sslrootcert=${ca}`)).toMatchObject(refused);
});

type Listener = AsyncDisposable & { readonly port: number };

async function listen(serve: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.each([
  ['source', 'SOURCE_UNREACHABLE'],
  ['target', 'TARGET_BUSY'],
] as const)(
  'a session that the %s has ended is waited for, whoever asks it',
  async (side, code) => {
    await using database = await freshDatabase({ on: side });
    const client = await openClient(databaseOf(side, database.connectionString), 'test');
    const asked = textRows(client, 'select pg_terminate_backend(pg_backend_pid())');
    await expect(asked).rejects.toMatchObject({ code, retry: 'timed' });
    await client.end().catch(() => undefined);
  },
);
