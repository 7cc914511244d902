import type pg from 'pg';
import { readCatalog, type CatalogColumn } from '../../connectors/postgres/catalog.ts';
import {
  connectorConfig,
  type ConnectorDatabase,
  type ConnectorFormat,
} from '../../connectors/debezium/connector-config.ts';
import type { ConnectorConfig } from '../../connectors/debezium/connector-secrets.ts';
import { MAX_MESSAGE_BYTES } from '../../connectors/kafka/wanted-topics.ts';
import type { Mapping } from '../../core/entity.ts';
import { tablesOf } from '../../core/mapping-check.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import { readUsages } from '../../core/usage.ts';
import type { Config } from '../config.ts';
import type { Connecting } from './connect-of.ts';

/** A table that the connector captures, as `tableTopics` takes it. */
export type CapturedTable = {
  readonly name: string;
  readonly schema: string;
  readonly relation: string;
};

/** Every table that the mapping reads. */
export function capturedTables(mapping: Mapping): readonly CapturedTable[] {
  return [...readUsages(mapping).tables.keys()].map((name) => ({ name, ...splitTableName(name) }));
}

/** `schema.table.column` of what the mapping declares as never to be read. */
export function secretColumns(mapping: Mapping): readonly string[] {
  const tables = mapping.entities.flatMap(({ shape }) => tablesOf(shape));
  const names = tables.flatMap(({ name, columns }) => {
    const { schema, relation } = splitTableName(name);
    const secret = Object.entries(columns).filter(([, column]) => column.secret);
    return secret.map(([column]) => `${schema}.${relation}.${column}`);
  });
  return [...new Set(names)].sort();
}

/** Debezium fails to convert a null in an array of an enum, a NaN in one of numeric, and all of bit. */
export const isFragile = ({
  mirrorType,
  baseType,
}: Pick<CatalogColumn, 'mirrorType' | 'baseType'>): boolean =>
  mirrorType.endsWith('[]') && (/^(numeric|bit)\b/.test(mirrorType) || mirrorType !== baseType);

/** The configuration that `deploy` hands over, for the tables as the source has them now. */
export async function wantedConfig(
  source: pg.ClientBase,
  config: Config,
  mapping: Mapping,
  connecting: Connecting,
): Promise<ConnectorConfig> {
  const tables = capturedTables(mapping);
  const catalog = await readCatalog(source, 'source', tables);
  const columns = [...catalog.values()].flatMap((table) => table.columns);
  return connectorConfig({
    database: databaseOf(config, connecting),
    slot: config.slot,
    publication: config.publication,
    prefix: connecting.kafka.topics.prefix,
    backfillFrom: connecting.kafka.backfillFrom,
    tables,
    secretColumns: secretColumns(mapping),
    hasFragileColumns: connecting.kafka.reread && columns.some(isFragile),
    format: formatOf(connecting),
    maxMessageBytes: MAX_MESSAGE_BYTES,
  });
}

function databaseOf({ source, sourceTls }: Config, { connect }: Connecting): ConnectorDatabase {
  const { host = 'localhost', port = 5432, database = '', user = '', password } = source.client;
  return {
    host: connect.sourceHost ?? host,
    port: connect.sourcePort ?? port,
    name: database,
    user,
    password: connect.passwordReference ?? (typeof password === 'string' ? password : ''),
    sslMode: sourceTls,
    sslCa: connect.sourceCa,
  };
}

function formatOf({ kafka, connect }: Connecting): ConnectorFormat {
  const { registry } = kafka;
  if (kafka.format === 'json' || registry === null) return { kind: 'json' };
  const { converter, registryUrl } = connect;
  const place = { url: registryUrl ?? registry.url, login: registry.login };
  return { kind: 'avro', converter, registry: place };
}
