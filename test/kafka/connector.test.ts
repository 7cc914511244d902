import { join } from 'node:path';
import { ConfigResourceTypes } from 'kafkajs';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { registerCodecs } from '../../connectors/kafka/codecs.ts';
import { smallWorkplace } from '../integration/cli-small-mapping.ts';
import type { Workplace } from '../integration/cli-run.ts';
import { freshPair, type TestPair } from '../harness/database.ts';
import { freshPrefix, kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import type { SharedAddresses } from '../harness/shared-servers.ts';
import { TandemProcess } from '../harness/tandem-process.ts';
import { readTopic } from '../harness/topic.ts';
import { waitFor } from '../harness/wait-for.ts';

let servers: SharedAddresses;
const deployed = new Set<string>();

beforeAll(async () => {
  registerCodecs();
  const [broker, registry, connect] = await Promise.all([
    sharedServer('broker'),
    sharedServer('registry'),
    sharedServer('connect'),
  ]);
  servers = { broker, registry, connect };
}, 600_000); // the first time ever, Maven fetches them

/** A connector that stays would go on looking for its database. */
afterEach(async () => {
  for (const name of deployed) await rest('DELETE', name).catch(() => undefined);
  deployed.clear();
});

test('a connector that is deployed puts changes into the topics as JSON, and again changes nothing', async () => {
  await using pair = await freshPair();
  using work = await connectWorkplace(pair);
  expect(await work.run('setup')).toMatchObject({ code: 0 });
  const first = await work.run('connector', 'deploy');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toMatch(/topics +made .*: 6 made\nconnector +made /);
  expect(first.out).toMatch(/read by Debezium Streaming, process \d+/);
  await pair.source.query(`insert into office values (1, 'é', 'a secret')`);

  const [message] = await messages(work, 'public.office', 1);
  expect(message?.value).toMatchObject({ op: 'c', after: { id: 1, name: 'é' } });
  expect(JSON.stringify(message?.value)).not.toContain('secret');

  const again = await work.run('connector', 'deploy');
  expect(again).toMatchObject({ code: 0, err: '' });
  expect(again.out).toMatch(/topics +there .*\nconnector +there /);
});

test('with Avro, the same change carries the id of a schema that the registry knows', async () => {
  await using pair = await freshPair();
  const { url } = servers.registry;
  using work = await connectWorkplace(pair, { KAFKA_FORMAT: 'avro', SCHEMA_REGISTRY_URL: url });
  await work.run('setup');
  expect(await work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
  await pair.source.query(`insert into office values (1, 'é', 'a secret')`);

  const topic = `${work.environment['KAFKA_TOPIC_PREFIX']}.public.office`;
  const [message] = await readTopic(servers.broker.bootstrap, topic, { count: 1 });
  const framed = message?.value ?? Buffer.alloc(5);
  expect(framed[0]).toBe(0);
  const found = await fetch(`${url}/schemas/ids/${framed.readInt32BE(1)}`);
  expect(JSON.stringify(await found.json())).toMatch(/office.*Envelope/);
});

test('heartbeats of ours reach the topic of messages, those of others do not', async () => {
  await using pair = await freshPair();
  using work = await deployedWorkplace(pair);
  await pair.source.query(`select pg_logical_emit_message(true, 'other', 'private'),
    pg_logical_emit_message(false, 'tandem.heartbeat', '{"at":"1"}')`);
  await pair.source.query(`select pg_logical_emit_message(true, 'tandem.mark', '')`);
  const [one, other] = await messages(work, 'message', 2);
  const content = Buffer.from('{"at":"1"}').toString('base64');
  expect(one?.value).toMatchObject({ op: 'm', message: { prefix: 'tandem.heartbeat', content } });
  expect(other?.value).toMatchObject({ op: 'm', message: { prefix: 'tandem.mark' } });
});

test('a row of several megabytes arrives', async () => {
  await using pair = await freshPair();
  using work = await deployedWorkplace(pair);
  await pair.source.query(`insert into office
    select 1, string_agg(md5(i::text), ''), null from generate_series(1, 150000) i`);
  const [message] = await messages(work, 'public.office', 1);
  expect(String((message?.value as { after: { name: string } }).after.name)).toHaveLength(
    4_800_000,
  );
});

test('deleted and deployed again on the same slot, it goes on where it was', async () => {
  await using pair = await freshPair();
  using work = await deployedWorkplace(pair);
  await pair.source.query(`insert into office values (1, 'before', null)`);
  await messages(work, 'public.office', 1);
  const gone = await work.run('connector', 'delete');
  expect(gone).toMatchObject({ code: 0, err: '' });
  expect(gone.out).toContain(`kept slot ${pair.source.name}`);
  expect(await rest('GET', work.environment['CONNECTOR_NAME'] ?? '')).toBe(404);
  await pair.source.query(`insert into office values (2, 'between', null)`);

  expect(await work.run('connector', 'deploy')).toMatchObject({ code: 0, err: '' });
  await pair.source.query(`insert into office values (3, 'after', null)`);
  await idsArrive(work, [1, 2, 3]);
  expect(await work.run('connector', 'delete')).toMatchObject({ code: 0 });
  const nothing = await work.run('connector', 'delete');
  expect(nothing.out).toMatch(/^nothing to do: there is no connector /);
});

test('a task that has failed is shown with its reason, and goes on after a restart', async () => {
  await using pair = await freshPair();
  using work = await deployedWorkplace(pair);
  await setTopicLimit(work, 'public.office', 2_000);
  await pair.source.query(`insert into office
    select 1, string_agg(md5(i::text), ''), null from generate_series(1, 1000) i`);
  const failed = await waitFor(
    async () => {
      const ran = await work.run('connector', 'status');
      return ran.code === 1 ? ran : false;
    },
    { what: 'the task to fail', timeoutMs: 30_000 },
  );
  expect(failed.out).toMatch(/task 0: FAILED on .*: RecordTooLargeException: /);
  expect(failed.out).toContain('next: tandem connector restart');

  await setTopicLimit(work, 'public.office', 1_000_000);
  expect(await work.run('connector', 'restart')).toMatchObject({ code: 0 });
  await idsArrive(work, [1]);
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
  using work = await connectWorkplace(pair);
  await work.run('setup');
  await using direct = new TandemProcess(['run'], {
    ...work.environment,
    MAPPING: mappingOf(work),
  });
  await direct.logged('streaming');
  const { code, err } = await work.run('connector', 'deploy');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: SLOT_IN_USE slot=\S+ pid=\d+ reader="tandem stream /);
  expect(await rest('GET', work.environment['CONNECTOR_NAME'] ?? '')).toBe(404);
});

test('before the setup there is no slot to read, and that is said', async () => {
  await using pair = await freshPair();
  using work = await connectWorkplace(pair);
  const { code, err } = await work.run('connector', 'deploy');
  expect(code).toBe(1);
  expect(err).toMatch(/^error: NOT_SET_UP publication=tandem/);
});

test('settings that Connect refuses are named, and nothing is deployed; the password is never shown', async () => {
  await using pair = await freshPair();
  using work = await connectWorkplace(pair, {
    CONNECT_CONVERTER: 'confluent',
    KAFKA_FORMAT: 'avro',
    SCHEMA_REGISTRY_URL: servers.registry.url,
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
  using work = await deployedWorkplace(pair);
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
  await idsArrive(work, [1]);
});

test('without a connector or Connect, commands say which of the two is missing', async () => {
  await using pair = await freshPair();
  using work = await connectWorkplace(pair);
  const missing = await work.run('connector', 'status');
  expect(missing.code).toBe(1);
  expect(missing.err).toMatch(/^error: CONNECTOR_MISSING connector=\S+ url=\S+\nnext: /);
  expect((await work.run('connector', 'restart')).err).toMatch(/^error: CONNECTOR_MISSING /);
  const gone = await work.run('connector', 'status', '--connect-url', 'http://127.0.0.1:1');
  expect(gone.err).toMatch(/^error: CONNECT_UNREACHABLE url=http:\/\/127\.0\.0\.1:1 reason=/);
  work.environment['CONNECT_URL'] = '';
  expect(await work.run('connector', 'status')).toMatchObject({ code: 2 });
});

/** The settings of a place where `tandem connector` works, with names of its own. */
async function connectWorkplace(
  pair: TestPair,
  settings: Readonly<Record<string, string>> = {},
): Promise<Workplace> {
  const prefix = freshPrefix();
  deployed.add(prefix);
  return smallWorkplace(pair, {
    KAFKA_BROKERS: servers.broker.bootstrap,
    KAFKA_TOPIC_PREFIX: prefix,
    CONNECT_URL: servers.connect.url,
    CONNECTOR_NAME: prefix,
    ...settings,
  });
}

async function deployedWorkplace(pair: TestPair): Promise<Workplace> {
  const work = await connectWorkplace(pair);
  await work.run('setup');
  const { code, err } = await work.run('connector', 'deploy');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return work;
}

type Seen = { readonly key: unknown; readonly value: unknown };

/** The first messages of a topic, as JSON. */
async function messages(work: Workplace, topic: string, count: number): Promise<readonly Seen[]> {
  const name = `${work.environment['KAFKA_TOPIC_PREFIX']}.${topic}`;
  const found = await readTopic(servers.broker.bootstrap, name, { count });
  return found.map(({ key, value }) => ({ key: parsed(key), value: parsed(value) }));
}

const parsed = (bytes: Buffer | null): unknown =>
  bytes === null ? null : JSON.parse(bytes.toString());

/** A message may come twice, so their number is not known before. */
async function idsArrive(work: Workplace, ids: readonly number[]): Promise<void> {
  const topic = `${work.environment['KAFKA_TOPIC_PREFIX']}.public.office`;
  const admin = kafkaClient(servers.broker.bootstrap).admin();
  await admin.connect();
  try {
    await waitFor(
      async () => {
        const ends = await admin.fetchTopicOffsets(topic);
        const count = ends.reduce((sum, { offset }) => sum + Number(offset), 0);
        if (count < ids.length) return false;
        const seen = await messages(work, 'public.office', count);
        const found = seen.map(({ value }) => (value as { after: { id: number } }).after.id);
        return ids.every((id) => found.includes(id));
      },
      { what: `rows ${ids.join(', ')}`, timeoutMs: 30_000, intervalMs: 100 },
    );
  } finally {
    await admin.disconnect();
  }
}

/** Below what the producer sends, the broker refuses it, and the task fails. */
async function setTopicLimit(work: Workplace, topic: string, bytes: number): Promise<void> {
  const admin = kafkaClient(servers.broker.bootstrap).admin();
  await admin.connect();
  const name = `${work.environment['KAFKA_TOPIC_PREFIX']}.${topic}`;
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }],
  });
  await admin.disconnect();
}

/** A process of its own does not run in the workplace's folder. */
const mappingOf = (work: Workplace) => join(work.folder, 'mapping.ts');

/** The status of the answer. */
async function rest(method: string, connector: string): Promise<number> {
  const url = `${servers.connect.url}/connectors/${connector}`;
  return waitFor(
    async () => {
      const { status } = await fetch(url, { method });
      return status === 409 ? false : status;
    },
    { what: `an answer of ${url}`, timeoutMs: 30_000, intervalMs: 100 },
  );
}
