import type pg from 'pg';
import { catalogName, readCatalog } from '../../connectors/postgres/catalog.ts';
import type { ConnectorConfig } from '../../connectors/debezium/connector-secrets.ts';
import type { Mapping } from '../../core/entity.ts';
import { TandemError } from '../../core/errors.ts';
import { readUsages } from '../../core/usage.ts';
import { lookAtConnector } from '../../monitoring/connector-sight.ts';
import type { Config } from '../config.ts';
import { briefly } from '../connector/connect-of.ts';
import { capturedTables } from '../connector/wanted-config.ts';
import { checkConnector } from './connector-checks.ts';
import type { CheckResult } from './result.ts';

/** What Kafka Connect says; nothing where none is named. */
export async function checkKafka(
  source: pg.Client,
  mapping: Mapping,
  config: Config,
): Promise<readonly CheckResult[]> {
  const { kafka, slot, publication } = config;
  const connect = kafka?.connect ?? null;
  if (kafka === null || connect === null) return [];
  const rest = briefly(connect);
  const sight = await lookAtConnector(rest, connect.connector);
  const deployed = await rest.config(connect.connector).catch(nothing);
  const { tables: wanted } = readUsages(mapping);
  const tables = capturedTables(mapping).map((table) => ({
    ...table,
    columns: [...(wanted.get(table.name)?.columns ?? [])],
  }));
  const catalog = await readCatalog(source, 'source', tables);
  const columns = tables.flatMap((table) =>
    (catalog.get(catalogName(table))?.columns ?? [])
      .filter(({ name }) => table.columns.includes(name))
      .map((column) => ({ ...column, name: `${table.name}.${column.name}` })),
  );
  const names = { slot, publication, prefix: kafka.topics.prefix };
  const { reread, backfillFrom } = kafka;
  const facts = { ...names, tables, sight, config: deployed, columns, reread, backfillFrom };
  return checkConnector(facts);
}

/** That Connect does not answer is said once, by the look at the connector. */
function nothing(error: unknown): ConnectorConfig | null {
  if (error instanceof TandemError) return null;
  throw error;
}
