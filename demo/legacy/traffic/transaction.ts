import type pg from 'pg';
import type { Cell, Row } from '../load/row.ts';
import { ident } from '../schema/definition.ts';
import { legacyTable } from '../schema/tables.ts';
import { Tally } from './report.ts';

/** Statements repeat thousands of times: each text is prepared once per connection. */
const names = new Map<string, string>();

function statementName(text: string): string {
  const name = names.get(text) ?? `legacy_${names.size}`;
  names.set(text, name);
  return name;
}

function arrayType(table: string, column: string): string {
  const type = legacyTable(table).columns.find(({ name }) => name === column)?.type;
  if (type === undefined) throw new Error(`${table} has no column ${column}`);
  return type === 'serial' ? 'integer[]' : `${type}[]`;
}

/** The statements of one transaction, as Django sends them: by id, one table at a time. */
export class LegacyTransaction {
  readonly tally = new Tally();
  readonly #client: pg.Client;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  async #ids(text: string, values: readonly unknown[]): Promise<number[]> {
    const query = { name: statementName(text), text, values: [...values] };
    const { rows } = await this.#client.query(query);
    return (rows as readonly { id: number }[]).map((row) => row.id);
  }

  async insert(table: string, row: Row): Promise<number> {
    const [id] = await this.insertMany(table, [row]);
    if (id === undefined) throw new Error(`no id for the new row of ${table}`);
    return id;
  }

  /** Django's `bulk_create`: one statement. All rows have the columns of the first. */
  async insertMany(table: string, rows: readonly Row[]): Promise<number[]> {
    const columns = Object.keys(rows[0] ?? {});
    if (columns.length === 0) return [];
    const arrays = columns.map((column, i) => `$${i + 1}::${arrayType(table, column)}`);
    const text = `insert into ${ident(table)} (${columns.map(ident).join(', ')})
      select * from unnest(${arrays.join(', ')}) returning id`;
    const values = columns.map((column) => rows.map((row) => row[column] ?? null));
    const ids = await this.#ids(text, values);
    this.tally.add('inserts', table, ids.length);
    return ids;
  }

  /** @returns the number of rows that were there to change */
  async update(table: string, ids: number | readonly number[], set: Row): Promise<number> {
    const columns = Object.keys(set);
    const assignments = columns.map((column, i) => `${ident(column)} = $${i + 2}`);
    const text = `update ${ident(table)} set ${assignments.join(', ')} where id = any($1) returning id`;
    const values: Cell[] = columns.map((column) => set[column] ?? null);
    const changed = await this.#ids(text, [typeof ids === 'number' ? [ids] : ids, ...values]);
    this.tally.add('updates', table, changed.length);
    return changed.length;
  }

  /** Sets a column to an expression over the row, as Django's `F()` does. */
  async updateBy(table: string, id: number, column: string, expression: string): Promise<number> {
    const text = `update ${ident(table)} set ${ident(column)} = ${expression} where id = $1 returning id`;
    const changed = await this.#ids(text, [id]);
    this.tally.add('updates', table, changed.length);
    return changed.length;
  }

  async delete(table: string, ids: readonly number[]): Promise<number> {
    if (ids.length === 0) return 0;
    const text = `delete from ${ident(table)} where id = any($1) returning id`;
    const gone = await this.#ids(text, [ids]);
    this.tally.add('deletes', table, gone.length);
    return gone.length;
  }

  /** The rows that point at `parents`: what Django collects before it deletes. */
  async children(table: string, column: string, parents: readonly number[]): Promise<number[]> {
    const text = `select id from ${ident(table)} where ${ident(column)} = any($1) order by id`;
    return parents.length === 0 ? [] : this.#ids(text, [parents]);
  }

  /** An id from the sequence, for a row that comes after those which point at it. */
  async reserveId(table: string): Promise<number> {
    const [id] = await this.#ids(`select nextval($1)::integer as id`, [`${table}_id_seq`]);
    if (id === undefined) throw new Error(`no sequence of ${table}`);
    return id;
  }

  /** Reads whole rows, to save or insert them again. */
  async read(table: string, ids: readonly number[]): Promise<Row[]> {
    const columns = legacyTable(table).columns.map(({ name }) => `${ident(name)}::text`);
    const text = `select ${columns.join(', ')} from ${ident(table)} where id = any($1) order by id`;
    const query = { name: statementName(text), text, values: [ids] };
    return (await this.#client.query(query)).rows as Row[];
  }
}
