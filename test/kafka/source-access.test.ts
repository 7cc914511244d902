import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { kafkaClient, type KafkaAccess } from '../../connectors/kafka/client.ts';
import { openLog, type LogOptions } from '../../connectors/kafka/open-log.ts';
import { wantedTopics } from '../../connectors/kafka/wanted-topics.ts';
import { ensureTopics } from '../../connectors/kafka/topics.ts';
import { withAdmin } from '../../connectors/kafka/with-admin.ts';
import type { Lsn } from '../../core/version.ts';
import { HASTY, NOTE, NoteDecoder, SILENT } from './log-bench.ts';
import { consume, consumer, MemoryTarget } from './memory-target.ts';

const JAAS =
  'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" ' +
  'password="admin-secret" user_admin="admin-secret" user_tandem="tandem-secret";';

/** Asks everybody who they are, and lets only the administrator do all. */
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    settings: {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': JAAS,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:admin;User:ANONYMOUS',
    },
  });
  await ensureTopics(administrator(), wantedTopics(TOPICS, [NOTE]), SILENT);
});
afterAll(() => broker.stop());

const PREFIX = 'p';
const TOPICS = {
  prefix: PREFIX,
  partitions: 1,
  replication: -1,
  retentionMs: 86_400_000,
  compact: false,
};

function access(username: string, password: string): KafkaAccess {
  const sasl = { mechanism: 'plain', username, password } as const;
  return { brokers: [broker.bootstrap], tls: null, sasl };
}

const administrator = () => kafkaClient(access('admin', 'admin-secret'), SILENT);

async function allow(operation: 'READ' | 'DESCRIBE', resource: 'TOPIC' | 'GROUP'): Promise<void> {
  await withAdmin(administrator(), { what: 'allow' }, (admin) =>
    admin.createAcls({
      acl: [
        {
          resourceType: kafkajs.AclResourceTypes[resource],
          resourceName: resource === 'TOPIC' ? PREFIX : 'tandem',
          resourcePatternType: kafkajs.ResourcePatternTypes.PREFIXED,
          principal: 'User:tandem',
          host: '*',
          operation: kafkajs.AclOperationTypes[operation],
          permissionType: kafkajs.AclPermissionTypes.ALLOW,
        },
      ],
    }),
  );
}

function options(given: Partial<LogOptions> = {}): LogOptions {
  return {
    access: access('tandem', 'tandem-secret'),
    topics: { ...TOPICS, replication: 1 },
    tables: [NOTE],
    share: null,
    groupId: 'tandem-stream',
    decoder: new NoteDecoder(),
    positions: new MemoryTarget(),
    heldUntil: 0n as Lsn,
    observer: SILENT,
    timing: HASTY,
    ...given,
  };
}

test('a wrong password is refused by name, and told to nobody', async () => {
  const said: string[] = [];
  const observer = { ...SILENT, event: (...facts: unknown[]) => said.push(JSON.stringify(facts)) };
  const wrong = options({ access: access('tandem', 'not-the-secret'), observer });
  await expect(openLog(wrong)).rejects.toMatchObject({ code: 'KAFKA_REFUSED' });
  expect(said.length).toBeGreaterThan(0);
  expect(said.join()).not.toContain('not-the-secret');
});

test('rights that are missing are named, one after the other, and suffice in the end', async () => {
  // A topic that may not be seen is not there, says the broker.
  await expect(openLog(options())).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
  await allow('DESCRIBE', 'TOPIC');
  // kafkajs does not tell this from a coordinator that is not there yet; the hint does.
  expect(await failure()).toMatchObject({
    code: 'KAFKA_UNREACHABLE',
    details: { reason: 'KafkaJSGroupCoordinatorNotFound' },
  });
  await allow('READ', 'GROUP');
  expect(await failure()).toMatchObject({
    code: 'KAFKA_REFUSED',
    details: { reason: 'TOPIC_AUTHORIZATION_FAILED' },
  });
  await allow('READ', 'TOPIC');

  const target = new MemoryTarget();
  const log = await openLog(options({ positions: target }));
  const reading = consumer(log.source, target);
  const producer = administrator().producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  await producer.send({ topic: `${PREFIX}.public.note`, messages: [{ value: '1 1' }] });
  await producer.disconnect();
  await reading.until('the note', () => target.ids.length === 1);
  await reading.stop();
  expect((await log.ends()).get(`${PREFIX}.public.note/0`)).toBe(1n);
  await log.close();
}, 120_000);

async function failure(): Promise<unknown> {
  const target = new MemoryTarget();
  const log = await openLog(options({ positions: target }));
  try {
    return await consume(log.source, target, { signal: new AbortController().signal }).then(
      () => null,
      (error: unknown) => error,
    );
  } finally {
    await log.close();
  }
}

test('a broker that is not there has a name, before long', async () => {
  const nobody = { brokers: ['127.0.0.1:1'], tls: null, sasl: null };
  await expect(openLog(options({ access: nobody }))).rejects.toMatchObject({
    code: 'KAFKA_UNREACHABLE',
    details: { reason: 'ECONNREFUSED' },
  });
});
