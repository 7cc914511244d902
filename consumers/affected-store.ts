import type pg from 'pg';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, textRows } from '../connectors/postgres/connection.ts';
import type { Roots } from './affected.ts';

/**
 * The roots that a transaction has to derive: in memory while they are few, in a temporary table
 * of the transaction when one source transaction touches more than that.
 */
export class AffectedRoots {
  #memory = new Map<string, Roots>();
  /** Once there is one: slices that are derived side by side share it. */
  #table: Promise<unknown> | null = null;
  readonly #limit: number;
  readonly #name: string;

  /** @param name of the temporary table */
  constructor(limit: number, name: string) {
    this.#limit = limit;
    this.#name = name;
  }

  get memory(): Map<string, Roots> {
    return this.#memory;
  }

  /** Moves the roots to the target when they have become many. */
  async settle(client: pg.ClientBase): Promise<void> {
    let count = 0;
    for (const roots of this.#memory.values()) count += roots.size;
    if (count > this.#limit) await this.#spill(client);
  }

  async #spill(client: pg.ClientBase): Promise<void> {
    this.#table ??= execute(
      client,
      `create temporary table ${this.#name} (entity text, root_key text, primary key (entity, root_key))
       on commit drop`,
    );
    await this.#table;
    // Taken out first: while one statement is awaited, a derive beside this may add more.
    const memory = this.#memory;
    this.#memory = new Map();
    for (const [entity, roots] of memory) {
      await execute(
        client,
        `insert into pg_temp.${this.#name} select $1, unnest($2::text[]) on conflict do nothing`,
        [entity, arrayLiteral([...roots.keys()])],
      );
    }
  }

  /** Takes roots to derive, one entity at a time in the order given; empty when there are none left. */
  async take(client: pg.ClientBase, order: readonly string[]): Promise<Map<string, Roots>> {
    if (this.#table === null) {
      const all = this.#memory;
      this.#memory = new Map();
      return all;
    }
    await this.#spill(client);
    for (const entity of order) {
      const rows = await textRows(
        client,
        `delete from pg_temp.${this.#name} where entity = $1 and root_key in (
           select root_key from pg_temp.${this.#name} where entity = $1 limit $2)
         returning root_key`,
        [entity, this.#limit],
      );
      if (rows.length > 0) {
        return new Map([[entity, new Map(rows.map((row) => [row[0] ?? '', undefined]))]]);
      }
    }
    return new Map();
  }
}
