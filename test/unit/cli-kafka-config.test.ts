import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildConfig } from '../../cli/build-config.ts';
import type { KafkaConfig } from '../../cli/kafka-config.ts';
import { readSettings, secretsOf } from '../../cli/read-settings.ts';
import { TandemError } from '../../core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tandem-kafka-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const URLS = { SOURCE_URL: 'postgresql://u:p@s/legacy', TARGET_URL: 'postgres://v@t:6/new' };
const BROKERS = { KAFKA_BROKERS: 'kafka:9092' };
type Given = Readonly<Record<string, string>>;
const read = (given: Given) =>
  readSettings({
    ...{ flags: {}, environment: { ...URLS, ...given }, workFolder: folder, envFile: null },
  });
const configOf = (given: Given) => buildConfig(read(given), folder);

function kafkaOf(given: Given): KafkaConfig {
  const { kafka } = configOf({ ...BROKERS, ...given });
  if (kafka === null) throw new Error('there is no Kafka');
  return kafka;
}

/** What the one error, or each of several, says of a setting. */
function problemsOf(given: Given): readonly string[] {
  try {
    configOf(given);
    return [];
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    const errors =
      error.cause instanceof AggregateError ? (error.cause.errors as TandemError[]) : [error];
    return errors.map(({ details }) => `${details['setting']} ${details['problem']}`);
  }
}

test('without brokers there is no Kafka; with them, everything else has a default', () => {
  expect(configOf({}).kafka).toBeNull();
  expect(kafkaOf({ KAFKA_BROKERS: 'a:9092, [::1]:9093' })).toEqual({
    access: { brokers: ['a:9092', '[::1]:9093'], tls: null, sasl: null },
    topics: {
      prefix: 'tandem',
      partitions: 3,
      replication: -1,
      retentionMs: 7 * 86_400_000,
      compact: false,
    },
    ...{
      group: 'tandem-tandem',
      sessionTimeoutMs: 15_000,
      format: 'json',
      compression: 'lz4',
      registry: null,
      reread: true,
      backfillFrom: 'source',
      onLogLoss: 'stop',
      connect: null,
    },
  });
  expect(kafkaOf({ STREAM: 'other' }).group).toBe('tandem-other');
  expect(kafkaOf({ KAFKA_RETENTION: '30d', KAFKA_REPLICATION: '3' }).topics).toMatchObject({
    ...{ retentionMs: 30 * 86_400_000, replication: 3 },
  });
});

test('TLS and login of the brokers are those of the settings', () => {
  writeFileSync(join(folder, 'ca.crt'), 'a certificate');
  writeFileSync(join(folder, 'our.key'), 'a key');
  const client = { KAFKA_SSL_CERT: 'ca.crt', KAFKA_SSL_KEY: 'our.key' };
  expect(kafkaOf({ KAFKA_SSL: 'yes' }).access.tls).toEqual({ ca: null, client: null });
  expect(kafkaOf({ KAFKA_SSL_CA: 'ca.crt' }).access.tls).toEqual({
    ...{ ca: 'a certificate', client: null },
  });
  expect(kafkaOf(client).access.tls).toEqual({
    ...{ ca: null, client: { certificate: 'a certificate', key: 'a key' } },
  });
  const login = { KAFKA_USERNAME: 'ann', KAFKA_PASSWORD: ' p ', KAFKA_SASL_MECHANISM: 'PLAIN' };
  expect(kafkaOf(login).access.sasl).toEqual({
    ...{ mechanism: 'plain', username: 'ann', password: ' p ' },
  });
});

test('the workers see source and registry as they are told, else as we do', () => {
  const connect = { CONNECT_URL: 'http://c:8083/' };
  expect(kafkaOf(connect).connect).toEqual({
    place: { url: 'http://c:8083', login: null },
    ...{ connector: 'tandem', sourceHost: null, sourcePort: null, sourceCa: null },
    ...{ passwordReference: null, converter: 'apicurio', registryUrl: null },
  });
  const registry = { ...connect, SCHEMA_REGISTRY_URL: 'http://r:8080/apis/ccompat/v7' };
  expect(kafkaOf(registry).connect?.registryUrl).toBe('http://r:8080/apis/registry/v2');
  const confluent = { ...registry, CONNECT_CONVERTER: 'confluent' };
  expect(kafkaOf(confluent).connect?.registryUrl).toBe('http://r:8080/apis/ccompat/v7');
  const other = { ...registry, SCHEMA_REGISTRY_CONNECT_URL: 'http://inside:1' };
  expect(kafkaOf(other).connect?.registryUrl).toBe('http://inside:1');
});

test.each<[Given, RegExp]>([
  [{ KAFKA_BROKERS: 'kafka' }, /^KAFKA_BROKERS "kafka" must be host:port/],
  [{ CONNECT_URL: 'http://c:8083' }, /^KAFKA_BROKERS is needed beside CONNECT_URL/],
  [{ BACKFILL_FROM: 'log' }, /^KAFKA_BROKERS is needed for BACKFILL_FROM=log/],
  [{ ...BROKERS, KAFKA_FORMAT: 'avro' }, /^SCHEMA_REGISTRY_URL is needed for KAFKA_FORMAT=avro/],
  [{ ...BROKERS, KAFKA_FORMAT: 'xml' }, /must be one of json, avro/],
  [{ ...BROKERS, KAFKA_USERNAME: 'ann' }, /KAFKA_PASSWORD are given together/],
  [{ ...BROKERS, KAFKA_SSL_CERT: 'ca.crt' }, /KAFKA_SSL_KEY are given together/],
  [{ ...BROKERS, KAFKA_SSL_CA: 'gone.crt' }, /^KAFKA_SSL_CA the file cannot be read \(ENOENT\)/],
  [{ ...BROKERS, KAFKA_TOPIC_PREFIX: 'a b' }, /^KAFKA_TOPIC_PREFIX "a b" must consist of letters/],
  [{ ...BROKERS, CONNECT_URL: 'c:8083' }, /^CONNECT_URL "c:8083" must be an http or https URL/],
  [
    { ...BROKERS, CONNECT_URL: 'http://c', CONNECT_PASSWORD: 'x' },
    /^CONNECT_USERNAME, CONNECT_PASSWORD are given together/,
  ],
  [
    { ...BROKERS, CONNECT_DATABASE_PASSWORD: 'hunter22' },
    /^CONNECT_DATABASE_PASSWORD must be a reference that Connect/,
  ],
])('%j is refused', (given, problem) => {
  const [first, ...others] = problemsOf(given);
  expect(others).toEqual([]);
  expect(first).toMatch(problem);
});

test('no password is among what may be shown', () => {
  const passwords = {
    KAFKA_PASSWORD: 'kafka-secret',
    SCHEMA_REGISTRY_PASSWORD: 'registry-secret',
    CONNECT_PASSWORD: 'connect-secret',
  };
  const { secrets, visible } = secretsOf(read(passwords));
  expect(secrets).toEqual(expect.arrayContaining(Object.values(passwords)));
  expect(visible.join(' ')).not.toContain('secret');
});
