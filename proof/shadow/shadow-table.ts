import type pg from 'pg';
import { execute, textRows } from '../../connectors/postgres/connection.ts';
import { arrayLiteral, columnLiteral, ident, qualified } from '../../connectors/postgres/sql.ts';
import type { TargetColumn, TargetTable } from '../../consumers/model.ts';
import { fromBatch, targetName, unnested } from '../../consumers/write-rows.ts';
import { splitTableName } from '../../core/mirror-table.ts';
import type { ExpectedRow } from '../target/compare-rows.ts';

/** The copy's name: that of the table, with its schema before it where that is not `public`. */
const copyName = (table: string) => {
  const { schema, relation } = splitTableName(table);
  return schema === 'public' ? relation : `${schema}.${relation}`;
};

/** Of a table the columns that are written, and which of them its primary key needs. */
const COLUMNS = `
  select a.attname, a.attnotnull and not coalesce(a.attnum = any(k.indkey), false)
  from pg_attribute a left join pg_index k on k.indrelid = a.attrelid and k.indisprimary
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
    and coalesce(to_jsonb(a) ->> 'attgenerated', '') = '' order by a.attnum`;

/**
 * The copy of a target table in a shadow. It has the table's rules for values (checks, what must not
 * be null or come twice) and its generated columns, but no references, triggers or defaults: what
 * the mapping does not write is the live row's, and empty in a new one. So no live row is locked by
 * a reference, no trigger does anything, and no sequence moves on.
 */
export class ShadowTable {
  readonly name: string;
  readonly #table: TargetTable;
  readonly #columns: readonly string[];
  /** Must not be null there, and may here once they turn out not to be written. */
  readonly #filled: Set<string>;
  readonly #inserts = new Map<string, string>();
  rows = 0;

  private constructor(name: string, table: TargetTable, columns: readonly (readonly unknown[])[]) {
    this.name = name;
    this.#table = table;
    this.#columns = columns.map(([column]) => String(column));
    this.#filled = new Set(
      columns.filter(([, it]) => it === 't').map(([column]) => String(column)),
    );
  }

  /** In the caller's transaction, where the schema is new. */
  static async make(
    client: pg.ClientBase,
    schema: string,
    table: TargetTable,
  ): Promise<ShadowTable> {
    const name = qualified(schema, copyName(table.name));
    const live = targetName(table.name);
    await execute(
      client,
      `create table ${name} (like ${live} including constraints including generated including indexes)`,
    );
    return new ShadowTable(name, table, await textRows(client, COLUMNS, [live]));
  }

  /**
   * Rows as they would be in the live table; fails as a whole. Returns how many are new here.
   *
   * @param insert the statement, as `prepare` gives it for these columns
   */
  async insert(
    client: pg.ClientBase,
    insert: string,
    columns: readonly TargetColumn[],
    rows: readonly ExpectedRow[],
  ): Promise<number> {
    const arrays = columns.map((_, i) => columnLiteral(rows, ({ cells }) => cells[i]));
    return await execute(client, insert, arrays);
  }

  /** Live rows that would be marked as deleted; without `deleted_at` they would not be there. */
  async addRemoved(client: pg.ClientBase, ids: readonly string[]): Promise<void> {
    if (!this.#table.columns.has('deleted_at')) return;
    const names = this.#columns.map(ident);
    const values = names.map((name) => (name === '"deleted_at"' ? 'now()' : `live.${name}`));
    this.rows += await execute(
      client,
      `insert into ${this.name} (${names.join(', ')})
       select ${values.join(', ')} from ${targetName(this.#table.name)} as live
       where live.id = any($1::uuid[]) on conflict do nothing`,
      [arrayLiteral(ids)],
    );
  }

  async ids(client: pg.ClientBase, ids: readonly string[]): Promise<readonly string[]> {
    const rows = await textRows(client, `select id from ${this.name} where id = any($1::uuid[])`, [
      arrayLiteral(ids),
    ]);
    return rows.map(([id]) => id ?? '');
  }

  /** The insert of rows with these columns; the others may be empty from now on. */
  async prepare(client: pg.ClientBase, columns: readonly TargetColumn[]): Promise<string> {
    const written = columns.map(({ name }) => name);
    const key = written.join();
    const known = this.#inserts.get(key);
    if (known !== undefined) return known;
    const rest = this.#columns.filter((name) => !written.includes(name));
    for (const name of rest.filter((it) => this.#filled.delete(it))) {
      await execute(client, `alter table ${this.name} alter column ${ident(name)} drop not null`);
    }
    const kept = rest.map((name) =>
      name === 'deleted_at' ? 'null::timestamptz' : `live.${ident(name)}`,
    );
    const names = written.map(ident).join(', ');
    const sql = `insert into ${this.name} (${[...written, ...rest].map(ident).join(', ')})
      select ${[...columns.map(fromBatch), ...kept].join(', ')}
      from ${unnested(columns)} as batch (${names})
      left join ${targetName(this.#table.name)} as live on live.id = batch.id
      on conflict (id) do nothing`;
    this.#inserts.set(key, sql);
    return sql;
  }
}
