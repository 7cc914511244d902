import avro, { type Schema } from 'avsc';
import type { Kafka } from 'kafkajs';
import { beforeAll, expect, test } from 'vitest';
import { VERSIONS } from '../../demo/servers/kafka/versions.ts';
import { avroConverters, debeziumSource, startConnector } from '../harness/connector.ts';
import { freshDatabase, type TestDatabase } from '../harness/database.ts';
import { freshPrefix, kafkaClient, sharedServer } from '../harness/kafka-stack.ts';
import type { SharedAddresses } from '../harness/shared-servers.ts';
import { readTopic } from '../harness/topic.ts';

let addresses: SharedAddresses;
let kafka: Kafka;

beforeAll(async () => {
  const [broker, registry, connect] = await Promise.all([
    sharedServer('broker'),
    sharedServer('registry'),
    sharedServer('connect'),
  ]);
  addresses = { broker, registry, connect };
  kafka = kafkaClient(broker.bootstrap);
}, 600_000); // the first time ever, Maven fetches them

test('what is produced is consumed, key, value and headers, in order', async () => {
  const topic = freshPrefix();
  await makeTopic(topic);
  const messages = [0, 1, 2].map((n) => ({ key: `k${n}`, value: `v${n}`, headers: { n: `${n}` } }));
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();

  const seen = await readTopic(addresses.broker.bootstrap, topic, { count: 3 });
  const texts = seen.map(({ key, value, headers }) => ({
    key: String(key),
    value: String(value),
    headers: { n: String(headers?.['n']) },
  }));
  expect(texts).toEqual(messages);
});

test('a topic that nobody made is an error, not a new topic', async () => {
  const producer = kafkaClient(addresses.broker.bootstrap, { retry: { retries: 1 } }).producer();
  await producer.connect();
  const sent = producer.send({ topic: freshPrefix(), messages: [{ value: 'x' }] });
  await expect(sent).rejects.toThrow(/does not host this topic-partition/);
  await producer.disconnect();
});

test('the registry gives a schema back by the id that it gave out', async () => {
  const { url } = addresses.registry;
  const name = freshPrefix();
  const schema = { type: 'record', name, fields: [{ name: 'id', type: 'long' }] };
  const registered = await fetch(`${url}/subjects/${name}-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  });
  const { id } = (await registered.json()) as { id: number };
  expect(await schemaOf(id)).toEqual(schema);
});

test('Connect has Debezium for PostgreSQL, of the version that is pinned', async () => {
  const response = await fetch(`${addresses.connect.url}/connector-plugins`);
  const plugins = (await response.json()) as { class: string; version: string }[];
  const debezium = plugins.find((it) => it.class.endsWith('PostgresConnector'));
  expect(debezium?.version).toBe(VERSIONS.debeziumPostgres);
});

test('a change of a database arrives as JSON', async () => {
  const names = freshNames();
  await using database = await sourceDatabase(names);
  const source = debeziumSource(database.connectionString, names);
  await using _ = await startConnector(addresses.connect.url, names.prefix, source);
  await database.query(`insert into note values (9007199254740993, 'é')`);

  const [message] = await readTopic(addresses.broker.bootstrap, `${names.prefix}.public.note`, {
    count: 1,
  });
  expect(String(message?.key)).toBe('{"id":9007199254740993}');
  const text = String(message?.value);
  expect(JSON.parse(text)).toMatchObject({ op: 'c', before: null, after: { note: 'é' } });
  expect(text).toContain('"id":9007199254740993');
});

test('a change of a database arrives as Avro, with a schema that the registry knows', async () => {
  const names = freshNames();
  await using database = await sourceDatabase(names);
  await using _ = await startConnector(addresses.connect.url, names.prefix, {
    ...debeziumSource(database.connectionString, names),
    ...avroConverters(addresses.registry.nativeUrl),
  });
  await database.query(`insert into note values (9007199254740993, 'é')`);

  const [message] = await readTopic(addresses.broker.bootstrap, `${names.prefix}.public.note`, {
    count: 1,
  });
  const id = 9007199254740993n;
  expect(await decode(message?.key)).toMatchObject({ id });
  expect(await decode(message?.value)).toMatchObject({ op: 'c', after: { id, note: 'é' } });
});

function freshNames() {
  const prefix = freshPrefix();
  return { prefix, slot: `s_${prefix}`, publication: 'tandem' };
}

/** With a table, and the slot and publication that the connector is to use. */
async function sourceDatabase(names: { slot: string }): Promise<TestDatabase> {
  const database = await freshDatabase({ on: 'source' });
  await database.query(`create table note (id bigint primary key, note text);
    create publication tandem for table note`);
  await database.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [names.slot]);
  return database;
}

async function makeTopic(topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
}

/** Confluent's frame: a zero, four bytes of the schema's id, the value. */
async function decode(framed: Buffer | null | undefined): Promise<unknown> {
  if (!framed) throw new Error('no message');
  expect(framed[0]).toBe(0);
  const schema = await schemaOf(framed.readInt32BE(1));
  const type = avro.Type.forSchema(schema, { wrapUnions: 'never', registry: { long: LONG } });
  return type.fromBuffer(framed.subarray(5));
}

/** 64 bits: Debezium's nanoseconds do not fit into a number. */
const LONG = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

async function schemaOf(id: number): Promise<Schema> {
  const response = await fetch(`${addresses.registry.url}/schemas/ids/${id}`);
  const { schema } = (await response.json()) as { schema: string };
  return JSON.parse(schema) as Schema;
}
