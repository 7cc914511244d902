import { afterEach, beforeAll, expect, test } from 'vitest';
import { freshPair } from '../harness/database.ts';
import { urlWith } from '../integration/cli-small-mapping.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { readTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';
import { ConnectBench, mappingOf } from './connect-bench.ts';

let bench: ConnectBench;

beforeAll(async () => {
  bench = await ConnectBench.start();
}, 600_000); // the first time ever, Maven fetches them

afterEach(() => bench.clean());

test('a connector that is deployed puts changes into the topics as JSON, and again changes nothing', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair);
  expect(await work.run('setup')).toMatchObject({ code: 0 });
  const first = await work.run('connector', 'deploy');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toMatch(/topics +made .*: 6 made\nconnector +made /);
  expect(first.out).toMatch(/read by Debezium Streaming, process \d+/);
  await pair.source.query(`insert into office values (1, 'é', 'a secret')`);

  const [message] = await bench.messages(work, 'public.office', 1);
  expect(message?.value).toMatchObject({ op: 'c', after: { id: 1, name: 'é' } });
  expect(JSON.stringify(message?.value)).not.toContain('secret');

  const again = await work.run('connector', 'deploy');
  expect(again).toMatchObject({ code: 0, err: '' });
  expect(again.out).toMatch(/topics +there .*\nconnector +there /);
});

test('a role that may replicate and read the mapped columns suffices for Debezium and for us', async () => {
  await using pair = await freshPair();
  const { source } = pair;
  using work = await bench.workplace(pair);
  expect(await work.run('setup')).toMatchObject({ code: 0 });
  const role = `reader_${source.name}`;
  await source.query(`create role ${role} login replication password 'its secret'`);
  try {
    await source.query(`revoke all on schema public from public;
      grant usage on schema public to ${role};
      grant select (id, name) on office to ${role};
      grant select (id, office_id, name, height) on patient to ${role}`);
    work.environment['SOURCE_URL'] = urlWith(source.connectionString, (url) => {
      url.username = role;
      url.password = 'its secret';
    });
    const deployed = await work.run('connector', 'deploy');
    expect(deployed).toMatchObject({ code: 0, err: '' });
    await source.query(`insert into office values (1, 'é', 'a secret')`);
    const [message] = await bench.messages(work, 'public.office', 1);
    expect(message?.value).toMatchObject({ op: 'c', after: { id: 1, name: 'é' } });
    expect(await work.run('connector', 'status')).toMatchObject({ code: 0, err: '' });
    expect(await work.run('connector', 'delete')).toMatchObject({ code: 0, err: '' });
  } finally {
    await source.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test('with Avro, the same change carries the id of a schema that the registry knows', async () => {
  await using pair = await freshPair();
  const { url } = bench.servers.registry;
  using work = await bench.workplace(pair, { KAFKA_FORMAT: 'avro', SCHEMA_REGISTRY_URL: url });
  await driftIds(bench.servers.registry.nativeUrl);
  await work.run('setup');
  expect(await work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
  await pair.source.query(`insert into office values (1, 'é', 'a secret')`);

  const topic = `${work.environment['KAFKA_TOPIC_PREFIX']}.public.office`;
  const [message] = await readTopic(bench.servers.broker.bootstrap, topic, { count: 1 });
  const framed = message?.value ?? Buffer.alloc(5);
  expect(framed[0]).toBe(0);
  const found = await fetch(`${url}/schemas/ids/${framed.readInt32BE(1)}`);
  expect(JSON.stringify(await found.json())).toMatch(/office.*Envelope/);
});

/**
 * Each look at a schema that is known uses up one of a registry's contentIds, but none of its globalIds:
 * from then on a schema has two ids, as in every registry that has run for a while.
 */
async function driftIds(registry: string): Promise<void> {
  const body = JSON.stringify({ type: 'record', name: 'drift', fields: [] });
  for (let look = 0; look < 50; look++) {
    const response = await fetch(`${registry}/groups/default/artifacts?ifExists=RETURN`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-registry-artifactid': 'drift' },
      body,
    });
    expect(response.status).toBe(200);
  }
}

test('heartbeats of ours reach the topic of messages, those of others do not', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  await pair.source.query(`select pg_logical_emit_message(true, 'other', 'private'),
    pg_logical_emit_message(false, 'tandem.heartbeat', '{"at":"1"}')`);
  await pair.source.query(`select pg_logical_emit_message(true, 'tandem.mark', '')`);
  const [one, other] = await bench.messages(work, 'message', 2);
  const content = Buffer.from('{"at":"1"}').toString('base64');
  expect(one?.value).toMatchObject({ op: 'm', message: { prefix: 'tandem.heartbeat', content } });
  expect(other?.value).toMatchObject({ op: 'm', message: { prefix: 'tandem.mark' } });
});

test('a row of several megabytes arrives', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  await pair.source.query(`insert into office
    select 1, string_agg(md5(i::text), ''), null from generate_series(1, 150000) i`);
  const [message] = await bench.messages(work, 'public.office', 1);
  expect(String((message?.value as { after: { name: string } }).after.name)).toHaveLength(
    4_800_000,
  );
});

test('deleted and deployed again on the same slot, it goes on where it was', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  await pair.source.query(`insert into office values (1, 'before', null)`);
  await bench.messages(work, 'public.office', 1);
  const gone = await work.run('connector', 'delete');
  expect(gone).toMatchObject({ code: 0, err: '' });
  expect(gone.out).toContain(`kept slot ${pair.source.name}`);
  expect(await bench.rest('GET', work.environment['CONNECTOR_NAME'] ?? '')).toBe(404);
  await pair.source.query(`insert into office values (2, 'between', null)`);

  expect(await work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
  await pair.source.query(`insert into office values (3, 'after', null)`);
  await bench.idsArrive(work, [1, 2, 3]);
  expect(await work.run('connector', 'delete')).toMatchObject({ code: 0 });
  const nothing = await work.run('connector', 'delete');
  expect(nothing.out).toMatch(/^nothing to do: there is no connector /);
});

test('after delete a connector takes a slot that was made anew, where it would have failed', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  await pair.source.query(`insert into office values (1, 'old', null)`);
  await bench.idsArrive(work, [1]);
  expect(await work.run('connector', 'delete')).toMatchObject({ code: 0 });
  expect(await work.run('setup', '--new-slot')).toMatchObject({ code: 0 });
  expect(await work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
  await pair.source.query(`insert into office values (2, 'new', null)`);
  await bench.idsArrive(work, [1, 2]);
});

test('a task that has failed is shown with its reason, and goes on after a restart', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  await bench.setTopicLimit(work, 'public.office', 2_000);
  const ids: number[] = [];
  const failed = await waitFor(
    async () => {
      // The broker goes by a new limit a moment after it has said so: a row may still get through.
      ids.push(ids.length + 1);
      await pair.source.query(`insert into office
        select ${ids.length}, string_agg(md5(i::text), ''), null from generate_series(1, 1000) i`);
      const ran = await work.run('connector', 'status');
      return ran.code === 1 ? ran : false;
    },
    { what: 'the task to fail', timeoutMs: 30_000, intervalMs: 200 },
  );
  expect(failed.out).toMatch(/task 0: FAILED on .*: RecordTooLargeException: /);
  expect(failed.out).toContain('next: tandem connector restart');

  await bench.setTopicLimit(work, 'public.office', 1_000_000);
  expect(await work.run('connector', 'restart')).toMatchObject({ code: 0 });
  await bench.idsArrive(work, ids);
  const { code, out } = await work.run('connector', 'status', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    state: 'RUNNING',
    tasks: [{ id: 0, state: 'RUNNING', error: null }],
    slot: { name: pair.source.name, reader: { application: 'Debezium Streaming' } },
  });
});

test('the connector is not deployed while somebody else reads the slot, who is named', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair);
  await work.run('setup');
  await using direct = new TandemProcess(['run'], {
    ...work.environment,
    MAPPING: mappingOf(work),
  });
  await direct.logged('stream.started');
  const { code, err } = await work.run('connector', 'deploy');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: SLOT_IN_USE slot=\S+ pid=\d+ reader="tandem stream /);
  expect(await bench.rest('GET', work.environment['CONNECTOR_NAME'] ?? '')).toBe(404);
});

test('before the setup there is no slot to read, and that is said', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair);
  const { code, err } = await work.run('connector', 'deploy');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: NOT_SET_UP publication=tandem/);
});

test('settings that Connect refuses are named, and nothing is deployed; the password is never shown', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair, {
    CONNECT_CONVERTER: 'confluent',
    KAFKA_FORMAT: 'avro',
    SCHEMA_REGISTRY_URL: bench.servers.registry.url,
    CONNECT_SOURCE_PORT: '1',
  });
  await work.run('setup');
  const { code, err } = await work.run('connector', 'deploy');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: CONNECTOR_INVALID .*key\.converter: Class .*AvroConverter/);
  expect(err).toContain('value.converter: ');
  expect(err).toMatch(/database\.hostname: .*refused/);
  const password = decodeURIComponent(new URL(pair.source.connectionString).password);
  expect(err).not.toContain(password);
  const plan = await work.run('connector', 'plan');
  expect(plan.out + plan.err).not.toContain(password);
  expect(JSON.parse(plan.out)).toMatchObject({ 'database.password': '***' });
});

test('paused it publishes nothing, and deploy lets it go on; plan tells how the deployed one differs', async () => {
  await using pair = await freshPair();
  using work = await bench.deployed(pair);
  expect(await work.run('connector', 'pause')).toMatchObject({ code: 0 });
  await waitFor(async () => /: PAUSED on/.test((await work.run('connector')).out), {
    what: 'the connector to pause',
    timeoutMs: 30_000,
  });
  expect((await work.run('connector', 'plan')).err).toMatch(/ is deployed like this\n$/);

  work.environment['CONNECT_SOURCE_HOST'] = 'localhost';
  const plan = await work.run('connector', 'plan');
  expect(plan.err).toMatch(/^~ database\.hostname: \S+ -> localhost\n.* differs in 1 settings/);
  const again = await work.run('connector', 'deploy');
  expect(again).toMatchObject({ code: 0, err: '' });
  expect(again.out).toMatch(/connector +changed +\S+: database\.hostname\n/);
  await pair.source.query(`insert into office values (1, 'x', null)`);
  await bench.idsArrive(work, [1]);
});

test('without a connector or Connect, commands say which of the two is missing', async () => {
  await using pair = await freshPair();
  using work = await bench.workplace(pair);
  const missing = await work.run('connector', 'status');
  expect(missing.code).toBe(1);
  expect(missing.err).toMatch(/^error: CONNECTOR_MISSING connector=\S+ url=\S+\nnext: /);
  expect((await work.run('connector', 'restart')).err).toMatch(/^error: CONNECTOR_MISSING /);
  const gone = await work.run('connector', 'status', '--connect-url', 'http://127.0.0.1:1');
  expect(gone.err).toMatch(/^error: CONNECT_UNREACHABLE url=http:\/\/127\.0\.0\.1:1 reason=/);
  work.environment['CONNECT_URL'] = '';
  expect(await work.run('connector', 'status')).toMatchObject({ code: 2 });
});
