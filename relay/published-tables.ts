import type pg from 'pg';
import { catalogName, readCatalog, type CatalogTable } from '../connectors/postgres/catalog.ts';
import { splitTableName, type MirrorTable } from '../core/mirror-table.ts';

type PublishedTables = {
  readonly tables: readonly MirrorTable[];
  /** The mapping names them, the source does not have them. */
  readonly missing: readonly string[];
};

/**
 * The tables of a mapping, each with its primary key and no other column: what else it has, the
 * stream tells.
 *
 * @param wanted by name: the key that the mapping knows, for a table without a primary key
 */
export async function readPublishedTables(
  source: pg.ClientBase,
  wanted: ReadonlyMap<string, { readonly key: readonly string[] }>,
): Promise<PublishedTables> {
  const catalog = await readCatalog(source, 'source', Array.from(wanted.keys(), splitTableName));
  const tables: MirrorTable[] = [];
  const missing: string[] = [];
  for (const [name, { key }] of wanted) {
    const found = catalog.get(catalogName(splitTableName(name)));
    if (found === undefined) missing.push(name);
    else tables.push(keyedTable(name, found, key));
  }
  return { tables, missing };
}

function keyedTable(name: string, found: CatalogTable, mapped: readonly string[]): MirrorTable {
  const { schema, relation, primaryKey } = found;
  const key = primaryKey.length > 0 ? primaryKey : mapped;
  const columns = key.flatMap((wanted) =>
    found.columns
      .filter((column) => column.name === wanted)
      .map(({ mirrorType, type }) => ({
        name: wanted,
        type: mirrorType,
        sourceType: type,
        inKey: true,
      })),
  );
  return { name, schema, relation, columns, keyLength: columns.length };
}
