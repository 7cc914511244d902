import type pg from 'pg';
import { TandemError } from '../../core/errors.ts';
import { splitTableName, type MirrorColumn, type MirrorTable } from '../../core/mirror-table.ts';
import { catalogName, readCatalog, type CatalogTable } from './catalog.ts';

/** What the mapping needs of a table. `columns` may hold key columns or not. */
export type WantedTable = {
  readonly key: readonly string[];
  readonly columns: readonly string[];
};

/**
 * Builds the mirror's tables from the source's catalogue: key columns first, then the others in the
 * order they are wanted.
 *
 * A partitioned table counts as one table under its own name; the publication must then send its
 * rows under that name (`publication.ts` sees to it, PostgreSQL 13 and later).
 *
 * @throws TandemError `TABLE_MISSING` naming every table and column that the source does not have
 */
export async function mirrorTables(
  client: pg.ClientBase,
  wanted: ReadonlyMap<string, WantedTable>,
): Promise<ReadonlyMap<string, MirrorTable>> {
  const names = Array.from(wanted.keys(), splitTableName);
  const catalog = await readCatalog(client, 'source', names);
  const missing: string[] = [];
  const tables = new Map<string, MirrorTable>();
  for (const [name, want] of wanted) {
    const found = catalog.get(catalogName(splitTableName(name)));
    if (found === undefined) {
      missing.push(name);
      continue;
    }
    const { columns, lacking } = mirrorColumns(found, want);
    missing.push(...lacking.map((column) => `${name}.${column}`));
    const { schema, relation } = found;
    tables.set(name, { name, schema, relation, columns, keyLength: want.key.length });
  }
  if (missing.length > 0) throw new TandemError('TABLE_MISSING', { missing: missing.join(', ') });
  return tables;
}

function mirrorColumns(
  table: CatalogTable,
  { key, columns: wanted }: WantedTable,
): { readonly columns: MirrorColumn[]; readonly lacking: string[] } {
  const columns: MirrorColumn[] = [];
  const lacking: string[] = [];
  for (const name of new Set([...key, ...wanted])) {
    const found = table.columns.find((column) => column.name === name);
    if (found === undefined) {
      lacking.push(name);
    } else if (found.isGenerated) {
      lacking.push(`${name} (generated columns are not replicated)`);
    } else {
      const { type: sourceType, mirrorType: type, baseType, baseKind } = found;
      const standsFor = type === sourceType ? {} : { baseType, baseKind };
      columns.push({ name, type, sourceType, inKey: key.includes(name), ...standsFor });
    }
  }
  return { columns, lacking };
}
