import type { ConnectorConfig } from './connector-secrets.ts';
import type { HttpPlace } from './http-place.ts';
import { modeSettings } from './mode-settings.ts';
import { EXACT_MODES } from './value-modes.ts';

/** The source as the Connect workers reach it. */
export type ConnectorDatabase = {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  /** Or a reference that a config provider of the workers resolves: `${file:…:…}`. */
  readonly password: string;
  /** libpq's name of the TLS mode. */
  readonly sslMode: string;
  /** A file of the workers; null: theirs. */
  readonly sslCa: string | null;
};

export type AvroConverter = 'apicurio' | 'confluent';

/** How messages are written. */
export type ConnectorFormat =
  | { readonly kind: 'json' }
  | { readonly kind: 'avro'; readonly converter: AvroConverter; readonly registry: HttpPlace };

export type ConnectorFacts = {
  readonly database: ConnectorDatabase;
  readonly slot: string;
  readonly publication: string;
  readonly prefix: string;
  /** Who reads the tables as they are at the beginning: Tandem, or the connector. */
  readonly backfillFrom: 'source' | 'log';
  readonly tables: readonly { readonly schema: string; readonly relation: string }[];
  /** `schema.table.column` of what must not leave the source. */
  readonly secretColumns: readonly string[];
  /** A table has a column that Debezium may fail to convert, and that is then read again. */
  readonly hasFragileColumns: boolean;
  readonly format: ConnectorFormat;
  readonly maxMessageBytes: number;
};

/** Our logical messages: heartbeats, and marks between transactions. */
export const MESSAGE_PREFIXES = 'tandem\\..*';

/**
 * The configuration of Debezium's PostgreSQL connector that loses nothing on the way. Slot and
 * publication are ours, and so is the backfill, unless it comes from the log; topics are made before.
 */
export function connectorConfig(facts: ConnectorFacts): ConnectorConfig {
  const { slot, publication, prefix, tables, secretColumns, format, maxMessageBytes } = facts;
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    ...databaseSettings(facts.database),
    'plugin.name': 'pgoutput',
    'slot.name': slot,
    'slot.drop.on.stop': 'false',
    'publication.name': publication,
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': snapshotMode(facts.backfillFrom),
    'topic.prefix': prefix,
    'table.include.list': tables
      .map(({ schema, relation }) => asPattern(`${schema}.${relation}`))
      .join(','),
    // Servers before 15, and tables of REPLICA IDENTITY FULL, publish whole rows.
    ...(secretColumns.length === 0
      ? {}
      : { 'column.exclude.list': secretColumns.map(asPattern).join(',') }),
    // Messages of others may hold anything.
    'message.prefix.include.list': MESSAGE_PREFIXES,
    // Otherwise a source whose mapped tables are idle would keep its log for the slot.
    'heartbeat.interval.ms': '5000',
    'provide.transaction.metadata': 'false',
    // Values arrive as the source has them; the defaults round, or hand over null.
    ...modeSettings(EXACT_MODES),
    ...COMPLETE,
    ...STRICT,
    // warn: null in its place. No null is taken for true in such a column: the row is read again.
    'event.converting.failure.handling.mode': facts.hasFragileColumns ? 'warn' : 'fail',
    ...FAST,
    // The producer holds back what exceeds a megabyte, before any broker is asked.
    'producer.override.max.request.size': String(maxMessageBytes),
    'producer.override.buffer.memory': String(4 * maxMessageBytes),
    ...formatSettings(format),
  };
}

/** Whether the connector takes a snapshot, before it follows the changes. */
export const snapshotMode = (from: 'source' | 'log'): string =>
  from === 'log' ? 'initial' : 'no_data';

/** Every change arrives: the default leaves out truncates. */
const COMPLETE = { 'skipped.operations': 'none', 'tombstones.on.delete': 'true' } as const;

/** What cannot be handled stops the connector, instead of being left out. */
const STRICT = {
  'errors.tolerance': 'none',
  'event.processing.failure.handling.mode': 'fail',
} as const;

/**
 * 200,000 changes came to a sink in 15 s instead of 30. A change waits for the poll to fill up its
 * batch, which takes the interval unless the queue is full: 200 single commits a second were at the
 * sink after 56 ms at the median with 50 ms, after 560 with the default of 500. The queue's bytes
 * bound what large rows take.
 */
const FAST = {
  'poll.interval.ms': '10',
  'max.batch.size': '8192',
  'max.queue.size': '32768',
  'max.queue.size.in.bytes': String(128 * 1024 * 1024),
  'producer.override.linger.ms': '5',
  'producer.override.batch.size': '262144',
  'producer.override.compression.type': 'lz4',
} as const;

function databaseSettings(database: ConnectorDatabase): ConnectorConfig {
  return {
    'database.hostname': database.host,
    'database.port': String(database.port),
    'database.dbname': database.name,
    'database.user': database.user,
    'database.password': database.password,
    'database.sslmode': database.sslMode,
    ...(database.sslCa === null ? {} : { 'database.sslrootcert': database.sslCa }),
  };
}

function formatSettings(format: ConnectorFormat): ConnectorConfig {
  if (format.kind === 'json') {
    return onBothSides({
      converter: 'org.apache.kafka.connect.json.JsonConverter',
      'converter.schemas.enable': 'false',
    });
  }
  const { converter, registry } = format;
  const settings = converter === 'apicurio' ? apicurio(registry) : confluent(registry);
  // Names that Avro does not allow would fail the task.
  return { 'schema.name.adjustment.mode': 'avro', ...onBothSides(settings) };
}

/**
 * Confluent's wire format; without `headers.enabled=false` the schema's id would be in a header. A
 * schema has two ids, of which the registry's Confluent interface knows `contentId`. The default is the
 * other one: they are equal in a new registry, and drift apart within a minute.
 */
function apicurio({ url, login }: HttpPlace): ConnectorConfig {
  return {
    converter: 'io.apicurio.registry.utils.converter.AvroConverter',
    'converter.apicurio.registry.url': url,
    'converter.apicurio.registry.auto-register': 'true',
    'converter.apicurio.registry.find-latest': 'true',
    'converter.apicurio.registry.as-confluent': 'true',
    'converter.apicurio.registry.headers.enabled': 'false',
    'converter.apicurio.registry.use-id': 'contentId',
    ...(login === null
      ? {}
      : {
          'converter.apicurio.auth.username': login.user,
          'converter.apicurio.auth.password': login.password,
        }),
  };
}

function confluent({ url, login }: HttpPlace): ConnectorConfig {
  return {
    converter: 'io.confluent.connect.avro.AvroConverter',
    'converter.schema.registry.url': url,
    ...(login === null
      ? {}
      : {
          'converter.basic.auth.credentials.source': 'USER_INFO',
          'converter.basic.auth.user.info': `${login.user}:${login.password}`,
        }),
  };
}

function onBothSides(settings: ConnectorConfig): ConnectorConfig {
  const sides = ['key', 'value'].flatMap((side) =>
    Object.entries(settings).map(([name, value]) => [`${side}.${name}`, value] as const),
  );
  return Object.fromEntries(sides);
}

/** A regular expression of Java's that matches this name alone; the comma would separate. */
export function asPattern(name: string): string {
  return name.replaceAll(/[\\^$.|?*+()[\]{},]/g, '\\$&');
}

/** What differs: what is to be, and what is. */
export type ConfigDifference = {
  readonly name: string;
  readonly wanted: string | null;
  readonly found: string | null;
};

/** Connect adds the connector's name by itself. */
export function configDifferences(
  wanted: ConnectorConfig,
  found: ConnectorConfig,
): readonly ConfigDifference[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort();
  return names
    .filter((name) => name !== 'name' && wanted[name] !== found[name])
    .map((name) => ({ name, wanted: wanted[name] ?? null, found: found[name] ?? null }));
}
