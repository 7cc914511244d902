import type pg from 'pg';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { catalogName, readCatalog, type Catalog, type TableName } from './catalog.ts';
import { statementError, textRows } from './connection.ts';
import { ident, qualified } from './sql.ts';
import { inTransaction } from './transaction.ts';

/** A table in a publication. */
type PublishedTable = TableName & {
  /** Sorted; null where all columns are published. */
  readonly columns: readonly string[] | null;
  readonly hasRowFilter: boolean;
};

/** What the source has. */
type PublicationState = {
  readonly tables: readonly PublishedTable[];
  readonly isForAllTables: boolean;
  /** Inserts, updates, deletes and truncates, all of them. */
  readonly publishesAll: boolean;
  /** Rows of partitions go out under the name of the partitioned table. */
  readonly isViaRoot: boolean;
};

/** What the mapping needs. */
type WantedPublication = {
  readonly name: string;
  /** The kinds of change to publish, as `publish` takes them. */
  readonly kinds: string;
  readonly tables: readonly (TableName & {
    readonly columns: readonly string[] | null;
    readonly isPartitioned: boolean;
  })[];
};

const COLUMN_LISTS_SINCE = 150_000;
const TRUNCATE_SINCE = 110_000;

/** Columns that only newer servers have are read through the row's JSON. */
const PUBLICATION = `
  select p.oid, p.puballtables,
    p.pubinsert and p.pubupdate and p.pubdelete
      and coalesce((to_jsonb(p) ->> 'pubtruncate')::boolean, true),
    coalesce((to_jsonb(p) ->> 'pubviaroot')::boolean, false)
  from pg_publication p where p.pubname = $1`;

const PUBLISHED = `
  select n.nspname, c.relname, to_jsonb(r) ->> 'prqual' is not null,
    (select json_agg(a.attname order by a.attname) from pg_attribute a
     where a.attrelid = c.oid
       and to_jsonb(r) -> 'prattrs' @> to_jsonb(a.attnum))
  from pg_publication_rel r
  join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
  where r.prpubid = $1::oid order by n.nspname, c.relname`;

/** The publication as it is, or null where there is none. */
export async function readPublication(
  client: pg.ClientBase,
  name: string,
): Promise<PublicationState | null> {
  try {
    const [found] = await textRows(client, PUBLICATION, [name]);
    if (found === undefined) return null;
    const [oid = null, isForAllTables, publishesAll, isViaRoot] = found;
    const rows = await textRows(client, PUBLISHED, [oid]);
    return {
      tables: rows.map(([schema, relation, hasRowFilter, columns]) => ({
        schema: schema ?? '',
        relation: relation ?? '',
        columns: columns ? (JSON.parse(columns) as string[]) : null,
        hasRowFilter: hasRowFilter === 't',
      })),
      isForAllTables: isForAllTables === 't',
      publishesAll: publishesAll === 't',
      isViaRoot: isViaRoot === 't',
    };
  } catch (error) {
    throw statementError('source', error, 'read publication');
  }
}

type PublicationOptions = {
  readonly name: string;
  readonly tables: readonly MirrorTable[];
  readonly serverVersion: number;
  /**
   * Names of the tables that get a list of columns, where the server can; default: all.
   *
   * A list keeps secrets in the source, at a price for its owner: the server refuses to drop or
   * retype a listed column, `drop column … cascade` (as Django writes it) takes the table out of the
   * publication without a word (`watchPublication` notices), and after REPLICA IDENTITY FULL it
   * refuses updates. So tables without secrets are better off without one.
   */
  readonly listedTables?: ReadonlySet<string>;
};

/**
 * What the publication has to send: since PostgreSQL 15 the mapped columns and the replica identity
 * alone, so that secrets do not even leave the source. Older servers send whole rows, and so must
 * any where REPLICA IDENTITY FULL forbids a list: there our decoder steps over the rest.
 */
function wantedPublication(
  options: PublicationOptions & { readonly catalog: Catalog },
): WantedPublication {
  const { name, tables, catalog, serverVersion, listedTables } = options;
  const knowsTruncate = serverVersion >= TRUNCATE_SINCE;
  return {
    name,
    kinds: `insert, update, delete${knowsTruncate ? ', truncate' : ''}`,
    tables: tables.map((table) => {
      const { schema, relation } = table;
      const found = catalog.get(catalogName(table));
      const identity = found?.replicaIdentity;
      const isListed = listedTables?.has(table.name) ?? true;
      const canList = serverVersion >= COLUMN_LISTS_SINCE && identity?.kind !== 'full';
      const used = table.columns.map((column) => column.name);
      const columns =
        isListed && canList ? [...new Set([...used, ...(identity?.columns ?? [])])].sort() : null;
      return { schema, relation, columns, isPartitioned: found?.kind === 'partitioned' };
    }),
  };
}

/**
 * The statements that make the publication what is wanted: none where it is already. Tables that
 * are not wanted stay in it: others may have put them there, and the decoder ignores them.
 */
export function publicationSql(
  present: PublicationState | null,
  wanted: WantedPublication,
): readonly string[] {
  const name = ident(wanted.name);
  const needsRoot = wanted.tables.some((table) => table.isPartitioned);
  // By default a server publishes every kind of change that it knows.
  const viaRoot = needsRoot ? ` with (publish_via_partition_root = true)` : '';
  if (present === null) {
    return [`create publication ${name} for table ${tableList(wanted.tables)}${viaRoot}`];
  }
  const statements: string[] = [];
  if (!present.publishesAll) {
    statements.push(`alter publication ${name} set (publish = '${wanted.kinds}')`);
  }
  if (needsRoot && !present.isViaRoot) {
    statements.push(`alter publication ${name} set (publish_via_partition_root = true)`);
  }
  if (present.isForAllTables) return statements;

  // A table with another column list is taken out and put in again; one transaction makes it one step.
  const presentByName = new Map(present.tables.map((table) => [catalogName(table), table]));
  const isAsWanted = (table: (typeof wanted.tables)[number]) => {
    const found = presentByName.get(catalogName(table));
    return found !== undefined && !found.hasRowFilter && isSameList(found.columns, table.columns);
  };
  const toAdd = wanted.tables.filter((table) => !isAsWanted(table));
  const toDrop = toAdd.filter((table) => presentByName.has(catalogName(table)));
  if (toDrop.length > 0) {
    const names = toDrop.map(({ schema, relation }) => qualified(schema, relation)).join(', ');
    statements.push(`alter publication ${name} drop table ${names}`);
  }
  if (toAdd.length > 0) statements.push(`alter publication ${name} add table ${tableList(toAdd)}`);
  return statements;
}

type ReadTable = TableName & { readonly name: string; readonly columns: Iterable<string> };

/** Works for lists of tables, for schemas and for all tables; columns are named since PostgreSQL 15. */
const SENT = `
  select schemaname || '.' || tablename, to_jsonb(t) -> 'attnames'
  from pg_publication_tables t where pubname = $1 and to_jsonb(t) ->> 'rowfilter' is null`;

/** Tables of which the publication sends nothing, or not all that is read; by the mapping's name. */
export async function unpublishedTables(
  client: pg.ClientBase,
  { name, tables }: { readonly name: string; readonly tables: readonly ReadTable[] },
): Promise<ReadonlySet<string>> {
  try {
    const rows = await textRows(client, SENT, [name]);
    const sent = new Map(rows.map(([table, columns]) => [table ?? '', columns ?? null]));
    const isLacking = (table: ReadTable) => {
      const columns = sent.get(catalogName(table));
      if (columns === undefined) return true;
      const listed = columns === null ? null : new Set(JSON.parse(columns) as string[]);
      return listed !== null && [...table.columns].some((column) => !listed.has(column));
    };
    return new Set(tables.filter(isLacking).map((table) => table.name));
  } catch (error) {
    throw statementError('source', error, 'read publication');
  }
}

/** Takes tables out that the mapping does not read any more. Returns the statements that ran. */
export async function withdrawTables(
  client: pg.ClientBase,
  publication: string,
  tables: readonly TableName[],
): Promise<readonly string[]> {
  const present = await readPublication(client, publication);
  const names = new Set(present?.tables.map(catalogName));
  const ours = tables.filter((table) => names.has(catalogName(table)));
  if (ours.length === 0) return [];
  const list = ours.map(({ schema, relation }) => qualified(schema, relation)).join(', ');
  const statement = `alter publication ${ident(publication)} drop table ${list}`;
  try {
    await client.query(statement);
    return [statement];
  } catch (error) {
    throw statementError('source', error, `publication ${publication}`);
  }
}

/** Makes the publication what is wanted, in one transaction. Returns the statements that ran. */
export async function ensurePublication(
  client: pg.ClientBase,
  options: PublicationOptions,
): Promise<readonly string[]> {
  const statements = await planPublication(client, options);
  if (statements.length === 0) return statements;
  try {
    await inTransaction(client, async () => {
      for (const statement of statements) await client.query(statement);
    });
    return statements;
  } catch (error) {
    throw statementError('source', error, `publication ${options.name}`);
  }
}

/** What `ensurePublication` would run, for `--dry-run`. */
export async function planPublication(
  client: pg.ClientBase,
  options: PublicationOptions,
): Promise<readonly string[]> {
  const catalog = await readCatalog(client, 'source', options.tables);
  const present = await readPublication(client, options.name);
  return publicationSql(present, wantedPublication({ ...options, catalog }));
}

function tableList(
  tables: readonly (TableName & { readonly columns: readonly string[] | null })[],
): string {
  return tables
    .map(({ schema, relation, columns }) => {
      const list = columns === null ? '' : ` (${columns.map(ident).join(', ')})`;
      return `${qualified(schema, relation)}${list}`;
    })
    .join(', ');
}

function isSameList(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === null || b === null) return a === b;
  const others = new Set(b);
  return a.length === others.size && a.every((name) => others.has(name));
}
