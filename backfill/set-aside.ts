import type pg from 'pg';
import {
  statementError,
  textRows,
  withClient,
  type Database,
} from '../connectors/postgres/connection.ts';
import { ident, qualified } from '../connectors/postgres/sql.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';

type Kind = 'index' | 'foreign_key';
type Item = {
  readonly kind: Kind;
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  /** Of a foreign key with one column: `[column, schema, table, column there]`; else null. */
  readonly reference: string | null;
};
type Place = Omit<Item, 'reference'>;

/**
 * Foreign keys and indexes of a table, as the catalogue defines them. Unique ones stay: made again
 * afterwards, one would be refused for a row that nobody could name any more.
 */
async function itemsOf(client: pg.ClientBase, tables: readonly string[]): Promise<Item[]> {
  const items: Item[] = [];
  for (const name of tables) {
    const { schema, relation } = splitTableName(name);
    const rows = await textRows(
      client,
      `select 'foreign_key', conname, pg_get_constraintdef(oid), case when cardinality(conkey) = 1 then (
           select json_build_array(a.attname, n.nspname, c.relname, b.attname)::text
           from pg_attribute a, pg_attribute b, pg_class c join pg_namespace n on n.oid = c.relnamespace
           where a.attrelid = conrelid and a.attnum = conkey[1]
             and c.oid = confrelid and b.attrelid = confrelid and b.attnum = confkey[1]) end
         from pg_constraint where conrelid = $1::regclass and contype = 'f'
       union all
       select 'index', i.relname, pg_get_indexdef(x.indexrelid), null
         from pg_index x join pg_class i on i.oid = x.indexrelid
         where x.indrelid = $1::regclass and not x.indisunique
           and not exists (select from pg_constraint where conindid = x.indexrelid and contype = 'x')
       order by 1, 2`,
      [qualified(schema, relation)],
    );
    for (const [kind, item, definition, reference] of rows) {
      items.push({
        kind: kind as Kind,
        schema,
        table: relation,
        name: item ?? '',
        definition: definition ?? '',
        reference: reference ?? null,
      });
    }
  }
  return items;
}

/**
 * Drops secondary indexes and foreign keys of empty tables for a bulk load, and records them in the
 * same transaction, so that a restart makes them again whatever happens.
 */
export async function setAside(client: pg.ClientBase, tables: readonly string[]): Promise<void> {
  try {
    await inTransaction(client, async () => {
      for (const item of await itemsOf(client, tables)) {
        await client.query(
          `insert into tandem.set_aside (kind, table_schema, table_name, name, definition, reference)
           values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
          [item.kind, item.schema, item.table, item.name, item.definition, item.reference],
        );
        await client.query(
          item.kind === 'index'
            ? `drop index ${qualified(item.schema, item.name)}`
            : `alter table ${qualified(item.schema, item.table)} drop constraint ${ident(item.name)}`,
        );
      }
    });
  } catch (error) {
    throw statementError('target', error, 'set aside indexes');
  }
}

/** Makes again what was set aside of one table (or of all), of these kinds. */
export async function restore(
  database: Database,
  kinds: readonly Kind[],
  table: string | null,
  observer: Observer,
): Promise<void> {
  await withClient(database, 'indexes', async (client) => {
    await client.query(`set maintenance_work_mem = '256MB'`);
    const rows = await textRows(
      client,
      `select kind, table_schema, table_name, name, definition from tandem.set_aside order by kind, name`,
    );
    for (const [kind, schema, relation, name, definition] of rows) {
      const item = {
        kind: kind as Kind,
        schema: schema ?? '',
        table: relation ?? '',
        name: name ?? '',
        definition: definition ?? '',
      };
      const isMine = table === null || isTable(table, item);
      if (isMine && kinds.includes(item.kind)) await restoreOne(client, item, observer);
    }
  });
}

function isTable(name: string, item: Place): boolean {
  const { schema, relation } = splitTableName(name);
  return item.schema === schema && item.table === relation;
}

async function restoreOne(client: pg.ClientBase, item: Place, observer: Observer): Promise<void> {
  const table = qualified(item.schema, item.table);
  const start = Date.now();
  try {
    await inTransaction(client, async () => {
      const taken = await client.query(
        `delete from tandem.set_aside where kind = $1 and table_schema = $2 and table_name = $3 and name = $4`,
        [item.kind, item.schema, item.table, item.name],
      );
      if (taken.rowCount !== 1) return;
      await client.query(
        item.kind === 'index'
          ? item.definition
          : `alter table ${table} add constraint ${ident(item.name)} ${item.definition}`,
      );
    });
  } catch (error) {
    throw statementError('target', error, `make ${item.kind} ${item.name} again`);
  }
  observer.event(
    'made again',
    { what: item.kind, name: item.name, ms: Date.now() - start },
    'debug',
  );
}
