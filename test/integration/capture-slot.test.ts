import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openClient, textRows } from '../../connectors/postgres/connection.ts';
import { judgeSlot } from '../../connectors/postgres/judge-slot.ts';
import { positionOf } from '../../connectors/postgres/replication-source.ts';
import { createSlot, dropSlot, readSlot } from '../../connectors/postgres/slot.ts';
import { identifySource } from '../../connectors/postgres/source-identity.ts';
import { parseLsn } from '../../core/version.ts';
import { startPostgres } from '../../demo/servers/postgres.ts';
import { freshDatabase, testServerUrl, type TestDatabase } from '../harness/database.ts';
import { startProxy } from '../harness/proxy.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Capture, clock, readUntil, rowOf, sourceAt } from './capture-harness.ts';

const LIMITS = { maxBytes: 1e6, maxEvents: 1000 };

async function noteCapture(db: TestDatabase): Promise<Capture> {
  await db.query('create table note (id int primary key, body text)');
  return Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
}

async function slotRow(db: TestDatabase, slot: string): Promise<Record<string, unknown>> {
  const [row] = await db.query('select * from pg_replication_slots where slot_name = $1', [slot]);
  return row ?? {};
}

test('nothing is confirmed before confirm is called, however long it takes', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const before = (await slotRow(db, capture.slot))['confirmed_flush_lsn'];
  const source = capture.source({ statusIntervalMs: 100 });
  const end = new AbortController();
  for (let i = 0; i < 20; i++) await db.query('insert into note values ($1)', [i]);
  let isFirst = true;
  const options = { ...LIMITS, signal: end.signal };
  for await (const batch of source.batches(capture.position, options)) {
    if (!isFirst || batch.events.length === 0) continue;
    isFirst = false;
    // The library's own timer would acknowledge after ten seconds: it looks once a second.
    await pause(12_500);
    expect((await slotRow(db, capture.slot))['confirmed_flush_lsn']).toBe(before);
    const [sender] = await db.query(
      `select flush_lsn, write_lsn, replay_lsn, reply_time > now() - interval '5 seconds' as lives
       from pg_stat_replication where application_name = $1`,
      [`tandem stream ${capture.slot}`.slice(0, 63)],
    );
    expect(sender).toEqual({
      flush_lsn: before,
      write_lsn: before,
      replay_lsn: before,
      lives: true,
    });
    await source.confirm(batch.position);
    await waitFor(
      async () => (await slotRow(db, capture.slot))['confirmed_flush_lsn'] === batch.position,
      { what: 'the confirmed position' },
    );
    end.abort();
  }
  expect(isFirst).toBe(false);
});

test('a batch may take longer than wal_sender_timeout, with the socket paused', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const impatient = {
    ...capture.database,
    client: { ...capture.database.client, options: '-c wal_sender_timeout=1s' },
  };
  // More than the sockets hold, so that the server waits for us to read.
  await db.query(
    `insert into note select i, repeat('x', 1000) from generate_series(1, 20000) as i`,
  );
  const source = capture.source({ database: impatient });
  const end = new AbortController();
  let events = 0;
  let isHeld = false;
  const options = { maxBytes: 200_000, maxEvents: 1000, signal: end.signal };
  for await (const batch of source.batches(capture.position, options)) {
    events += batch.events.length;
    if (!isHeld && events > 1000) {
      isHeld = true;
      await pause(3_500);
    }
    if (batch.complete && events === 20_000) end.abort();
  }
  expect({ events, isHeld }).toEqual({ events: 20_000, isHeld: true });
});

test('an aborted stream leaves the slot free, and the next one goes on without gap or double', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const source = capture.source();
  let position = capture.position;
  const keys: number[] = [];
  for (let round = 0; round < 4; round++) {
    await db.query(
      `insert into note select i, '' from generate_series(${round * 10}, ${round * 10 + 9}) as i`,
    );
    const end = new AbortController();
    for await (const batch of source.batches(position, { ...LIMITS, signal: end.signal })) {
      keys.push(...batch.events.map((event) => Number(rowOf(event)[0])));
      position = batch.position;
      await source.confirm(position);
      if (keys.length === (round + 1) * 10) end.abort();
    }
    expect(await slotRow(db, capture.slot)).toMatchObject({ active: false });
  }
  expect(keys).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('an abort in the middle of a large transaction also frees the slot', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  await db.query(
    `insert into note select i, repeat('x', 1000) from generate_series(1, 50000) as i`,
  );
  const end = new AbortController();
  const options = { maxBytes: 100_000, maxEvents: 1000, signal: end.signal };
  for await (const batch of capture.source().batches(capture.position, options)) {
    expect(batch.complete).toBe(false);
    end.abort();
  }
  await waitFor(async () => (await slotRow(db, capture.slot))['active'] === false, {
    what: 'the slot to be free',
    timeoutMs: 3_000,
  });
});

test('a connection that is cut ends the stream with an error that can be retried', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const { hostname, port } = new URL(testServerUrl('source'));
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  const capture = await noteCapture(db);
  await db.query(`insert into note values (1, '')`);
  const source = capture.source({ database: sourceAt(proxy.through(db.connectionString)) });
  let position = capture.position;
  const reading = readUntil(source, position, (seen) => {
    if (seen.events.length === 1 && proxy.connections > 0) {
      position = seen.position;
      proxy.cut();
    }
    return false;
  });
  await expect(reading).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retry: 'timed' });
  await db.query(`insert into note values (2, '')`);
  const rest = await waitFor(
    async () => readUntil(source, position, (seen) => seen.events.length > 0).catch(() => null),
    { what: 'the slot to be free again' },
  );
  expect(rest.events.map((event) => rowOf(event)[0])).toEqual(['2']);

  await proxy.refuse(true);
  const refused = readUntil(source, position, () => true);
  await expect(refused).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retry: 'timed' });
});

test('a server that shuts down ends the stream with an error that can be retried', async () => {
  await using server = await startPostgres({ settings: { fsync: 'off' } });
  const database = sourceAt(server.connectionString());
  const client = await openClient(database, 'test');
  await textRows(client, 'create table public.note (id int primary key)');
  await client.end();
  const db = testDatabaseAt(server.connectionString());
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  const source = capture.source();
  const end = new AbortController();
  const started = Date.now();
  const reading = (async () => {
    const options = { ...LIMITS, signal: end.signal };
    for await (const batch of source.batches(capture.position, options)) {
      await source.confirm(batch.position);
    }
  })();
  const failed = expect(reading).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  await waitFor(async () => capture.observer.named('stream.started').length > 0, {
    what: 'the stream',
  });
  await server.restart('fast');
  await failed;
  // A fast shutdown waits until the walsender's client has confirmed everything.
  expect(Date.now() - started).toBeLessThan(10_000);
});

test('a slot in use names the pid that holds it', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const end = new AbortController();
  const holder = capture.source().batches(capture.position, { ...LIMITS, signal: end.signal });
  const held = holder.next();
  const pid = await waitFor(async () => (await slotRow(db, capture.slot))['active_pid'], {
    what: 'the slot to be in use',
  });
  const second = readUntil(capture.source(), capture.position, () => true);
  await expect(second).rejects.toMatchObject({ code: 'SLOT_IN_USE', details: { pid } });
  const client = await openClient(capture.database, 'test');
  await expect(dropSlot(client, capture.slot)).rejects.toMatchObject({ code: 'SLOT_IN_USE' });
  end.abort();
  await held;
  await holder.return(); // it may have given out a position and wait there
  await waitFor(async () => (await slotRow(db, capture.slot))['active_pid'] === null, {
    what: 'the slot to be free',
  });
  expect(await dropSlot(client, capture.slot)).toBe(true);
  expect(await dropSlot(client, capture.slot)).toBe(false);
  await client.end();
});

test('a missing slot, a missing publication and a slot that is ahead each have their name', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const read = (options: object) =>
    readUntil(capture.source(options), capture.position, (seen) => seen.events.length > 0);
  await db.query(`insert into note values (1, '')`);
  await expect(read({ slot: 'nobody' })).rejects.toMatchObject({ code: 'SLOT_MISSING' });
  await expect(read({ publication: 'nobody' })).rejects.toMatchObject({ code: 'NOT_SET_UP' });
  await waitFor(async () => (await slotRow(db, capture.slot))['active'] === false, {
    what: 'the slot to be free',
  });
  await db.query('select pg_replication_slot_advance($1, pg_current_wal_lsn())', [capture.slot]);
  await expect(read({})).rejects.toMatchObject({ code: 'SLOT_AHEAD' });
});

test('a table that falls out of the publication stops the stream, and the next start too', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const source = capture.source({ publicationCheckMs: 50 });
  const reading = readUntil(source, capture.position, () => false);
  const stopped = expect(reading).rejects.toMatchObject({
    code: 'TABLE_UNPUBLISHED',
    details: { tables: 'public.note' },
  });
  // As Django drops a column: where the publication lists columns, that takes the table out of it.
  await db.query('alter table note drop column body cascade');
  const [left] = await db.query('select from pg_publication_tables');
  if (left !== undefined) await db.query(`alter publication "pub ""it's""" drop table note`);
  await stopped;
  const again = readUntil(capture.source(), capture.position, () => false);
  await expect(again).rejects.toMatchObject({ code: 'TABLE_UNPUBLISHED' });
});

test('a connection that says nothing more is given up, although nothing closed it', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const { hostname, port } = new URL(testServerUrl('source'));
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  const capture = await noteCapture(db);
  let aheadMs = 0;
  const source = capture.source({
    database: sourceAt(proxy.through(db.connectionString)),
    clock: { ...clock, now: () => Date.now() + aheadMs },
    statusIntervalMs: 50,
  });
  const reading = readUntil(source, capture.position, () => false);
  const failed = expect(reading).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    details: { reason: 'silence' },
  });
  await waitFor(async () => capture.observer.named('stream.started').length > 0, {
    what: 'the stream',
  });
  proxy.halfOpen(true);
  // More than once: bytes that were on their way may arrive behind the first step.
  const steps = setInterval(() => (aheadMs += 200_000), 100);
  await failed;
  clearInterval(steps);
});

test('an idle source moves on by keepalives, and never past what was given out', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  await db.query('create table elsewhere (id int)');
  const source = capture.source({ statusIntervalMs: 100 });
  const end = new AbortController();
  let last = capture.position;
  const reading = (async () => {
    for await (const batch of source.batches(last, { ...LIMITS, signal: end.signal })) {
      expect(batch).toMatchObject({ events: [], complete: true });
      expect(parseLsn(batch.position) > parseLsn(last)).toBe(true);
      last = batch.position;
      await source.confirm(last);
    }
  })();
  await db.query('insert into elsewhere select i from generate_series(1, 1000) as i');
  const [row] = await db.query('select pg_current_wal_lsn() as lsn');
  const goal = String(row?.['lsn']);
  await waitFor(
    async () => {
      const [found] = await db.query(
        'select confirmed_flush_lsn >= $2 as it from pg_replication_slots where slot_name = $1',
        [capture.slot, goal],
      );
      return found?.['it'] === true;
    },
    { what: 'the slot to move on' },
  );
  end.abort();
  await reading;
});

test('a slot tells its state, and the source who it is, to a plain role', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const role = `plain_${db.name}`;
  await db.query(`create role ${role} login replication password 'p'`);
  try {
    const { client: login } = capture.database;
    const database = { ...capture.database, client: { ...login, user: role, password: 'p' } };
    const client = await openClient(database, 'test');
    const slot = await readSlot(client, capture.slot);
    expect(slot).toMatchObject({
      exists: true,
      plugin: 'pgoutput',
      database: db.name,
      isActive: false,
      isTwoPhase: false,
      confirmedFlushLsn: capture.start,
    });
    const source = await identifySource(client);
    const [system] = await db.query(
      'select system_identifier::text as id from pg_control_system()',
    );
    expect(source).toMatchObject({
      systemIdentifier: system?.['id'],
      timeline: 1,
      database: db.name,
    });
    expect(await readSlot(client, 'nobody')).toEqual({ exists: false, name: 'nobody' });

    const stored = { ...source, slot: capture.slot, position: capture.start };
    expect(judgeSlot(stored, { source, slot })).toEqual({ kind: 'ok', warning: null });
    const second = `${capture.slot}_2`;
    await createSlot(client, second);
    await expect(createSlot(client, second)).rejects.toMatchObject({ code: 'SLOT_EXISTS' });
    expect(await dropSlot(client, second)).toBe(true);
    await client.end();
    // Streaming needs no more than REPLICATION either.
    await db.query(`insert into note values (1, 'x')`);
    const reading = readUntil(
      capture.source({ database }),
      capture.position,
      (seen) => seen.events.length === 1,
    );
    expect((await reading).events).toHaveLength(1);
  } finally {
    await db.query(`drop role ${role}`);
  }
});

test('a slot that was dropped and made again is not taken for the old one', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  await db.query(`insert into note values (1, '')`);
  const { position } = await capture.read((seen) => seen.events.length === 1);
  const client = await openClient(capture.database, 'test');
  const stored = { ...(await identifySource(client)), slot: capture.slot };
  await dropSlot(client, capture.slot);
  const gone = { source: stored, slot: await readSlot(client, capture.slot) };
  expect(judgeSlot({ ...stored, position: parseLsn(position) }, gone)).toMatchObject({
    code: 'SLOT_MISSING',
  });
  await db.query(`insert into note values (2, '')`);
  await createSlot(client, capture.slot);
  const found = {
    source: await identifySource(client),
    slot: await readSlot(client, capture.slot),
  };
  expect(judgeSlot({ ...stored, position: parseLsn(position) }, found)).toMatchObject({
    code: 'SLOT_RECREATED',
  });
  await client.end();
});

test('a slot whose WAL was removed is lost, and says so', async () => {
  const settings = {
    fsync: 'off',
    max_slot_wal_keep_size: '1MB',
    wal_keep_size: '0',
    max_wal_size: '32MB',
    min_wal_size: '32MB',
  };
  await using server = await startPostgres({ settings });
  const db = testDatabaseAt(server.connectionString());
  await db.query('create table note (id int primary key, body text)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: ['body'] } });
  for (let i = 0; i < 4; i++) {
    await db.query(
      `insert into note select i, repeat(md5(i::text), 50) from generate_series(${i * 9000}, ${i * 9000 + 8999}) as i`,
    );
    await db.query('select pg_switch_wal()');
    await db.query('checkpoint');
  }
  await expect(capture.read(() => true)).rejects.toMatchObject({ code: 'SLOT_LOST' });
  const client = await openClient(capture.database, 'test');
  const source = await identifySource(client);
  const found = { source, slot: await readSlot(client, capture.slot) };
  await client.end();
  expect(
    judgeSlot({ ...source, slot: capture.slot, position: capture.start }, found),
  ).toMatchObject({ code: 'SLOT_LOST' });
});

test.each([
  [{ password: 'wrong' }, 'SOURCE_LOGIN_REFUSED'],
  [{ database: 'nowhere' }, 'SOURCE_LOGIN_REFUSED'],
  [{ port: 1 }, 'SOURCE_UNREACHABLE'],
])('opening with %j is %s', async (change, code) => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const database = {
    ...capture.database,
    client: { ...capture.database.client, ...change },
  };
  const reading = readUntil(capture.source({ database }), positionOf(capture.start), () => true);
  await expect(reading).rejects.toMatchObject({ code });
});

test('a role without REPLICATION is told which privilege is missing', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const capture = await noteCapture(db);
  const role = `noone_${db.name}`;
  await db.query(`create role ${role} login password 'p'`);
  const { client: login } = capture.database;
  const database = { ...capture.database, client: { ...login, user: role, password: 'p' } };
  const reading = readUntil(capture.source({ database }), capture.position, () => true);
  await expect(reading).rejects.toMatchObject({ code: 'PRIVILEGE_MISSING' });
  await db.query(`drop role ${role}`);
});

/** The maintenance database of a server of our own, which goes with the server. */
function testDatabaseAt(connectionString: string): TestDatabase {
  const database = sourceAt(connectionString);
  return {
    name: 'own',
    connectionString,
    query: async (sql) => {
      const client = await openClient(database, 'test');
      try {
        await client.query(`set search_path = public; ${sql}`);
        return [];
      } finally {
        await client.end();
      }
    },
    client: () => openClient(database, 'test'),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
