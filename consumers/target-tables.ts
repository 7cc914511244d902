import type pg from 'pg';
import { catalogName, readCatalog, type CatalogTable } from '../connectors/postgres/catalog.ts';
import type { Mapping } from '../core/entity.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { TargetTable } from './model.ts';

/** The target tables of a mapping, by the name that the mapping uses. Those that lack are left out. */
export async function readTargetTables(
  client: pg.ClientBase,
  mapping: Mapping,
): Promise<Map<string, TargetTable>> {
  const names = [...new Set(mapping.entities.flatMap((entity) => entity.targets))];
  const catalog = await readCatalog(client, 'target', names.map(splitTableName));
  const tables = new Map<string, TargetTable>();
  for (const name of names) {
    const table = catalog.get(catalogName(splitTableName(name)));
    if (table !== undefined) tables.set(name, targetTable(name, table));
  }
  return tables;
}

function targetTable(name: string, table: CatalogTable): TargetTable {
  const references = new Map(
    table.foreignKeys
      .filter((key) => key.columns.length === 1 && key.targetColumns[0] === 'id')
      .map((key) => [key.columns[0], mappingName(key.target)]),
  );
  const columns = table.columns.map((column) => ({
    name: column.name,
    type: column.type,
    notNull: column.isNotNull,
    references: references.get(column.name) ?? null,
  }));
  return { name, columns: new Map(columns.map((column) => [column.name, column])) };
}

const mappingName = ({ schema, relation }: { schema: string; relation: string }) =>
  schema === 'public' ? relation : `${schema}.${relation}`;
