import { expect, test } from 'vitest';
import { runHeartbeat } from '../../connectors/postgres/heartbeat.ts';
import { parseLsn } from '../../core/version.ts';
import { freshDatabase, testServerUrl } from '../harness/database.ts';
import { startProxy } from '../harness/proxy.ts';
import { waitFor } from '../harness/wait-for.ts';
import { Capture, clock, RecordingObserver, readUntil, sourceAt } from './capture-harness.ts';

test('heartbeats of an idle source arrive with its clock, and move the position on', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  const stop = new AbortController();
  const observer = new RecordingObserver();
  const { database } = capture;
  const before = Date.now();
  const beating = runHeartbeat({ database, intervalMs: 100, observer, clock, signal: stop.signal });
  const seen = await capture.read(
    (it) => it.batches.filter((batch) => batch.heartbeat !== null).length === 3,
  );
  stop.abort();
  await beating;
  const beats = seen.batches.filter((batch) => batch.heartbeat !== null);
  for (const { heartbeat, complete, position } of beats) {
    expect(heartbeat?.sentAtMs).toBeGreaterThan(before - 1000);
    expect(heartbeat?.sentAtMs).toBeLessThan(Date.now() + 1000);
    expect(complete).toBe(true);
    expect(parseLsn(position) > capture.start).toBe(true);
  }
  expect(new Set(beats.map((batch) => batch.heartbeat?.sentAtMs)).size).toBe(3);
  expect(observer.events).toEqual([]);
  // Going on behind a heartbeat neither repeats it nor loses what came after.
  await db.query('insert into note values (1)');
  const last = beats.at(-1)?.position ?? capture.position;
  const rest = await readUntil(capture.source(), last, (it) => it.events.length === 1);
  expect(rest.batches.every((batch) => parseLsn(batch.position) > parseLsn(last))).toBe(true);
});

test('messages of others, and heartbeats that no clock wrote, are no heartbeats', async () => {
  await using db = await freshDatabase({ on: 'source' });
  await db.query('create table note (id int primary key)');
  const capture = await Capture.setUp(db, { note: { key: ['id'], columns: [] } });
  await db.query(`select pg_logical_emit_message(false, 'tandem.heartbeat', 'garbage'),
    pg_logical_emit_message(false, 'tandem.heartbeat', '{"at":"soon"}'),
    pg_logical_emit_message(false, 'somebody', '{"at":"1"}'),
    pg_logical_emit_message(true, 'tandem.heartbeat', '{"at":"1"}')`);
  await db.query('insert into note values (1)');
  const seen = await capture.read((it) => it.events.length === 1);
  expect(seen.batches.map((batch) => batch.heartbeat).filter((it) => it !== null)).toEqual([]);
});

test('heartbeats come back by themselves, and say so once per outage', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const { hostname, port } = new URL(testServerUrl('source'));
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  const stop = new AbortController();
  const observer = new RecordingObserver();
  const beating = runHeartbeat({
    database: sourceAt(proxy.through(db.connectionString)),
    intervalMs: 20,
    observer,
    clock,
    signal: stop.signal,
  });
  await waitFor(async () => proxy.connections === 1, { what: 'the first connection' });
  await proxy.refuse(true);
  proxy.cut();
  await waitFor(async () => observer.named('heartbeat.failed').length > 0, { what: 'the outage' });
  await proxy.refuse(false);
  await waitFor(async () => observer.named('heartbeat.resumed').length > 0, { what: 'the return' });
  stop.abort();
  await beating;
  expect(observer.named('heartbeat.failed')).toEqual([{ code: 'SOURCE_UNREACHABLE' }]);
  expect(observer.named('heartbeat.resumed')).toHaveLength(1);
});

test('where the role may not write heartbeats, there are none, and that is said', async () => {
  await using db = await freshDatabase({ on: 'source' });
  const role = `mute_${db.name}`;
  await db.query(`create role ${role} login password 'p'; revoke execute on function
    pg_logical_emit_message${await signatureOf(db)} from public`);
  const database = sourceAt(db.connectionString);
  const observer = new RecordingObserver();
  await runHeartbeat({
    database: { ...database, client: { ...database.client, user: role, password: 'p' } },
    intervalMs: 20,
    observer,
    clock,
    signal: new AbortController().signal,
  });
  expect(observer.events.map((event) => event.name)).toEqual(['heartbeat.off']);
  await db.query(`drop role ${role}`);
});

async function signatureOf(db: Awaited<ReturnType<typeof freshDatabase>>): Promise<string> {
  const [row] = await db.query(`select pg_get_function_identity_arguments(oid) as it from pg_proc
    where proname = 'pg_logical_emit_message' and proargtypes[2] = 'text'::regtype`);
  return `(${String(row?.['it'])})`;
}
