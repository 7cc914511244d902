import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
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
  const aside = await referencesSetAside(client);
  const tables = new Map<string, TargetTable>();
  for (const name of names) {
    const table = catalog.get(catalogName(splitTableName(name)));
    if (table !== undefined) tables.set(name, targetTable(name, table, aside));
  }
  return tables;
}

type Reference = readonly [table: string, column: string, parent: string];

/** Foreign keys that a backfill which was interrupted has dropped and will make again. */
async function referencesSetAside(client: pg.ClientBase): Promise<readonly Reference[]> {
  // `to_regclass` fails where the role may not use the schema.
  const [there] = await textRows(
    client,
    `select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'tandem' and c.relname = 'set_aside'`,
  );
  if (there?.[0] !== 't') return [];
  const rows = await textRows(
    client,
    `select table_schema, table_name, reference ->> 0, reference ->> 1, reference ->> 2
     from tandem.set_aside where kind = 'foreign_key' and reference ->> 3 = 'id'`,
  );
  return rows.map(([schema, relation, column, parentSchema, parent]) => [
    mappingName({ schema: schema ?? '', relation: relation ?? '' }),
    column ?? '',
    mappingName({ schema: parentSchema ?? '', relation: parent ?? '' }),
  ]);
}

function targetTable(name: string, table: CatalogTable, aside: readonly Reference[]): TargetTable {
  const present = table.foreignKeys
    .filter((key) => key.columns.length === 1 && key.targetColumns[0] === 'id')
    .map((key) => [key.columns[0] ?? '', mappingName(key.target)] as const);
  const dropped = aside
    .filter(([child]) => child === name)
    .map(([, column, parent]) => [column, parent] as const);
  const references = new Map([...present, ...dropped]);
  const columns = table.columns.map((column) => ({
    name: column.name,
    type: column.type,
    notNull: column.isNotNull,
    hasDefault: column.hasDefault || column.isIdentity || column.isGenerated,
    references: references.get(column.name) ?? null,
  }));
  return { name, columns: new Map(columns.map((column) => [column.name, column])) };
}

const mappingName = ({ schema, relation }: { schema: string; relation: string }) =>
  schema === 'public' ? relation : `${schema}.${relation}`;
