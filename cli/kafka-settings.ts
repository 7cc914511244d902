import { COMPRESSIONS } from '../connectors/kafka/compression.ts';
import { GROUPS, httpUrl, duration, oneOf, optional, read, secret } from './setting.ts';
import { whole, withDefault, words, yesOrNo } from './setting.ts';

const [, , , KAFKA, CONNECT] = GROUPS;

/** `host:port`, several with commas. */
const brokers = read((text): readonly string[] | null => {
  const places = text.split(',').map((place) => place.trim());
  return places.every((place) => /^(\[[0-9a-f:]+\]|[\w.-]+):\d{1,5}$/i.test(place)) ? places : null;
}, 'must be host:port, several with commas');

/** Kafka's characters; the names of schema and table, and of the heartbeat topic, come around it. */
const topicPrefix = read(
  (text) => (/^[\w-][\w.-]{0,99}$/.test(text) ? text : null),
  'must consist of letters, digits, dots, - and _, at most 100',
);

const reference = read(
  (text) => (/^\$\{[^{}]+\}$/.test(text) ? text : null),
  'must be a reference that Connect resolves; the password itself has no place here',
);

/** Settings of the log between capture and target. Direct mode needs none of them. */
export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: optional(brokers, {
    group: KAFKA,
    help: 'Brokers to begin with, host:port, several with commas. If not given: there is no Kafka, and the stream is read from the slot.',
    example: 'kafka-1:9092,kafka-2:9092',
    value: 'brokers',
  }),
  KAFKA_TOPIC_PREFIX: withDefault(topicPrefix, {
    group: KAFKA,
    help: 'What the names of all topics begin with: prefix.schema.table. Another one for each source.',
    example: 'tandem',
    value: 'prefix',
    default: 'tandem',
  }),
  KAFKA_GROUP: optional(words, {
    group: KAFKA,
    help: 'Consumer group. If not given: tandem- and the name of the stream.',
    example: 'tandem-orders',
    value: 'name',
  }),
  KAFKA_FORMAT: withDefault(oneOf(['json', 'avro']), {
    group: KAFKA,
    help: 'What relay and connector write: json (without schemas), or avro with a schema registry. Readers see it from the bytes, so both may be in one topic.',
    example: 'json',
    value: 'format',
    default: 'json',
  }),
  KAFKA_COMPRESSION: withDefault(oneOf(COMPRESSIONS), {
    group: KAFKA,
    help: 'How the relay compresses what it writes: none, gzip, snappy or lz4.',
    example: 'lz4',
    value: 'how',
    default: 'lz4',
  }),
  KAFKA_PARTITIONS: withDefault(whole(1, 1000), {
    group: KAFKA,
    help: 'Partitions of each new topic of a table: so many processes can share one table.',
    example: '3',
    value: 'n',
    default: '3',
  }),
  KAFKA_REPLICATION: optional(whole(1, 100), {
    group: KAFKA,
    help: "Copies of each new topic; 3 in production. If not given: the brokers' default.replication.factor.",
    example: '3',
    value: 'n',
  }),
  KAFKA_RETENTION: withDefault(duration, {
    group: KAFKA,
    help: 'How long new topics keep their messages: longer than the target may ever stand still.',
    example: '30d',
    value: 'duration',
    default: '7d',
  }),
  KAFKA_CLEANUP: withDefault(oneOf(['delete', 'compact']), {
    group: KAFKA,
    help: 'What becomes of old messages in new topics of tables: delete takes those away that are older than KAFKA_RETENTION, compact all but the newest of each row.',
    example: 'compact',
    value: 'how',
    default: 'delete',
  }),
  KAFKA_SSL: withDefault(yesOrNo, {
    group: KAFKA,
    help: 'Whether the brokers are spoken to with TLS.',
    example: 'true',
    value: 'bool',
    default: 'false',
  }),
  KAFKA_SSL_CA: optional(words, {
    group: KAFKA,
    help: 'File with the certificate authority (PEM) that the brokers are checked against. If not given: those that Node brings.',
    example: './kafka-ca.crt',
    value: 'file',
  }),
  KAFKA_SSL_CERT: optional(words, {
    group: KAFKA,
    help: 'File with our certificate (PEM), where the brokers ask for one; with KAFKA_SSL_KEY.',
    example: './kafka-tandem.crt',
    value: 'file',
  }),
  KAFKA_SSL_KEY: optional(words, {
    group: KAFKA,
    help: 'File with its private key (PEM).',
    example: './kafka-tandem.key',
    value: 'file',
  }),
  KAFKA_SASL_MECHANISM: optional(oneOf(['plain', 'scram-sha-256', 'scram-sha-512']), {
    group: KAFKA,
    help: 'How to log in to the brokers: plain, scram-sha-256 or scram-sha-512. If not given: not at all.',
    example: 'scram-sha-512',
    value: 'mechanism',
  }),
  KAFKA_USERNAME: optional(words, {
    group: KAFKA,
    help: 'User to log in to the brokers as.',
    example: 'tandem',
    value: 'name',
  }),
  KAFKA_PASSWORD: optional(secret, {
    group: KAFKA,
    help: 'Its password.',
    example: "'correct horse'",
    value: null,
    secret: 'value',
  }),
  KAFKA_SESSION_TIMEOUT: withDefault(duration, {
    group: KAFKA,
    help: 'How long a process that is silent keeps its partitions: those of one that was killed go to others after that. The brokers allow 6 s to 30 min (group.min.session.timeout.ms).',
    example: '30s',
    value: 'duration',
    default: '15s',
  }),
  KAFKA_REREAD: withDefault(yesOrNo, {
    group: KAFKA,
    help: 'Whether a row is read again from the source where a message cannot carry it exactly; with false such a message is set aside as unreadable.',
    example: 'true',
    value: 'bool',
    default: 'true',
  }),
  BACKFILL_FROM: withDefault(oneOf(['source', 'log']), {
    group: KAFKA,
    help: "Where the mirror is loaded from: the source's tables, or the log, where its topics hold a snapshot that Debezium took and all changes since.",
    example: 'log',
    value: 'where',
    default: 'source',
  }),
  ON_LOG_LOSS: withDefault(oneOf(['stop', 'reread']), {
    group: KAFKA,
    help: 'When a topic has lost messages that the target has not had (they expired, or it was made anew): stop, or reread its table beside the stream. Another cluster than before always stops.',
    example: 'reread',
    value: 'what',
    default: 'stop',
  }),
  SCHEMA_REGISTRY_URL: optional(httpUrl, {
    group: KAFKA,
    help: "Schema registry for Avro, one that speaks as Confluent's does. Of Apicurio: its /apis/ccompat/v7.",
    example: 'http://registry:8080/apis/ccompat/v7',
    value: 'url',
  }),
  SCHEMA_REGISTRY_USERNAME: optional(words, {
    group: KAFKA,
    help: 'User of the schema registry, where it asks for one.',
    example: 'tandem',
    value: 'name',
  }),
  SCHEMA_REGISTRY_PASSWORD: optional(secret, {
    group: KAFKA,
    help: 'Its password.',
    example: "'correct horse'",
    value: null,
    secret: 'value',
  }),
  CONNECT_URL: optional(httpUrl, {
    group: CONNECT,
    help: 'REST interface of Kafka Connect, for `tandem connector` and for the state of the connector in status, check and metrics.',
    example: 'http://connect:8083',
    value: 'url',
  }),
  CONNECT_USERNAME: optional(words, {
    group: CONNECT,
    help: 'User of that interface, where it asks for one.',
    example: 'tandem',
    value: 'name',
  }),
  CONNECT_PASSWORD: optional(secret, {
    group: CONNECT,
    help: 'Its password.',
    example: "'correct horse'",
    value: null,
    secret: 'value',
  }),
  CONNECTOR_NAME: withDefault(words, {
    group: CONNECT,
    help: 'Name of the connector in Kafka Connect.',
    example: 'tandem',
    value: 'name',
    default: 'tandem',
  }),
  CONNECT_SOURCE_HOST: optional(words, {
    group: CONNECT,
    help: 'Host of the source as the Connect workers reach it. If not given: the one of SOURCE_URL.',
    example: 'legacy-db',
    value: 'host',
  }),
  CONNECT_SOURCE_PORT: optional(whole(1, 65535), {
    group: CONNECT,
    help: 'Its port there. If not given: the one of SOURCE_URL.',
    example: '5432',
    value: 'port',
  }),
  CONNECT_SOURCE_CA: optional(words, {
    group: CONNECT,
    help: 'File with the certificate authority of the source, as the Connect workers have it.',
    example: '/etc/tandem/source-ca.crt',
    value: 'file',
  }),
  CONNECT_DATABASE_PASSWORD: optional(reference, {
    group: CONNECT,
    help: 'Reference to the password of the source, for a config provider of the Connect workers, so that Connect does not store it. If not given: the password of SOURCE_URL is handed over.',
    example: "'${file:/etc/tandem/source.properties:password}'",
    value: null,
    // Somebody may write the password itself here.
    secret: 'value',
  }),
  CONNECT_CONVERTER: withDefault(oneOf(['apicurio', 'confluent']), {
    group: CONNECT,
    help: "Which Avro converter the workers have: apicurio or confluent. Both write Confluent's wire format.",
    example: 'apicurio',
    value: 'which',
    default: 'apicurio',
  }),
  SCHEMA_REGISTRY_CONNECT_URL: optional(httpUrl, {
    group: CONNECT,
    help: "The schema registry as the Connect workers reach it; Apicurio's converter needs its /apis/registry/v2. If not given: made from SCHEMA_REGISTRY_URL.",
    example: 'http://registry:8080/apis/registry/v2',
    value: 'url',
  }),
};
