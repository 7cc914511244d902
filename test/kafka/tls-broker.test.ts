import kafkajs from 'kafkajs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kafkaClient, type KafkaTls } from '../../connectors/kafka/client.ts';
import { openLog } from '../../connectors/kafka/open-log.ts';
import { ensureTopics } from '../../connectors/kafka/topics.ts';
import { wantedTopics } from '../../connectors/kafka/wanted-topics.ts';
import type { Lsn } from '../../core/version.ts';
import { startBroker, type Broker } from '../../demo/servers/kafka/broker.ts';
import { LOOPBACK, selfSigned } from '../harness/self-signed.ts';
import { HASTY, NOTE, NoteDecoder, SILENT } from './log-bench.ts';
import { consumer, MemoryTarget } from './memory-target.ts';

const ours = selfSigned();
const theirs = selfSigned(LOOPBACK);
const stranger = selfSigned();

const folder = mkdtempSync(join(tmpdir(), 'tandem-tls-broker-'));
const TOPICS = {
  prefix: 'p',
  partitions: 1,
  replication: -1,
  retentionMs: 86_400_000,
  compact: false,
};

/** Speaks TLS only, and only with whom it knows by certificate. */
let broker: Broker;
beforeAll(async () => {
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  broker = await startBroker({
    settings: {
      'listener.security.protocol.map': 'PLAINTEXT:SSL,CONTROLLER:PLAINTEXT',
      'ssl.client.auth': 'required',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': file('broker.pem', `${theirs.key}${theirs.certificate}`),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': file('trusted.pem', `${ours.certificate}${theirs.certificate}`),
    },
  });
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true });
});

const trusting: KafkaTls = { ca: theirs.certificate, client: ours };
const client = (tls: KafkaTls | null) =>
  kafkaClient({ brokers: [broker.bootstrap], tls, sasl: null }, SILENT);

test('topics are made, written and read over TLS, with a certificate on both sides', async () => {
  await ensureTopics(client(trusting), wantedTopics(TOPICS, [NOTE]), SILENT);
  const producer = client(trusting).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  await producer.send({ topic: 'p.public.note', messages: [{ value: '1 1' }] });
  await producer.disconnect();

  const target = new MemoryTarget();
  const log = await openLog({
    access: { brokers: [broker.bootstrap], tls: trusting, sasl: null },
    topics: TOPICS,
    tables: [NOTE],
    share: null,
    groupId: 'tandem-stream',
    decoder: new NoteDecoder(),
    positions: target,
    heldUntil: 0n as Lsn,
    observer: SILENT,
    timing: HASTY,
  });
  const reading = consumer(log.source, target);
  await reading.until('the note', () => target.ids.length === 1);
  await reading.stop();
  await log.close();
});

test.each([
  ['an authority that did not sign it', { ca: stranger.certificate, client: ours }],
  ['no certificate of ours', { ca: theirs.certificate, client: null }],
  ['a certificate that it does not know', { ca: theirs.certificate, client: stranger }],
])('with %s the connection is refused by name', async (_what, tls) => {
  await expect(ensureTopics(client(tls), [], SILENT)).rejects.toMatchObject({
    code: 'TLS_REFUSED',
    details: { connection: 'kafka' },
  });
});
