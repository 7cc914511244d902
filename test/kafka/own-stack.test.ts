import { beforeAll, expect, test } from 'vitest';
import { fetchPart } from '../../demo/servers/kafka/fetch-part.ts';
import { startStack } from '../../demo/servers/kafka/stack.ts';
import { debeziumSource, startConnector } from '../harness/connector.ts';
import { freshDatabase } from '../harness/database.ts';
import { freshPrefix } from '../harness/kafka-stack.ts';
import { readTopic } from '../harness/topic.ts';

beforeAll(async () => {
  for (const part of ['kafka', 'registry', 'postgresSource', 'avroConverter'] as const) {
    await fetchPart(part);
  }
}, 600_000); // the first time ever, Maven fetches them

test('a change made while Connect is dead arrives when it is started again', async () => {
  await using stack = await startStack();
  await using database = await freshDatabase({ on: 'source' });
  const prefix = freshPrefix();
  const names = { prefix, slot: `s_${prefix}`, publication: 'tandem' };
  await database.query(`create table note (id int primary key);
    create publication tandem for table note`);
  await database.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [names.slot]);
  const source = debeziumSource(database.connectionString, names);
  await using _ = await startConnector(stack.connect.url, prefix, source);
  const { pid } = stack.connect;

  await stack.connect.kill();
  await database.query('insert into note values (1)');
  await stack.connect.start();

  expect(stack.connect.pid).not.toBe(pid);
  const topic = `${prefix}.public.note`;
  const [message] = await readTopic(stack.broker.bootstrap, topic, { count: 1 });
  expect(String(message?.key)).toBe('{"id":1}');
}, 180_000);

test('a stack that cannot start says which server it was, and why', async () => {
  const broken = startStack({ connect: { settings: { 'status.storage.topic': '' } } });
  await expect(broken).rejects.toThrow(
    /Kafka Connect did not start.*specify topic for connector status/s,
  );
}, 120_000);
