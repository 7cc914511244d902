import type pg from 'pg';
import { preparedRows, type TextRow } from '../../connectors/postgres/connection.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';

/**
 * The live rows of a root table, page after page in key order, for several workers: each reads the
 * page behind the one that was read before. Reading is short beside what is done with a page, so
 * the workers do not wait for each other, and nothing has to be planned first.
 */
export class RootPages {
  readonly #table: MirrorTable;
  readonly #rows: number;
  /** The last key of the newest page; null: there is none yet; 'end': that was the last page. */
  #last: Promise<readonly string[] | null | 'end'> = Promise.resolve(null);

  constructor(table: MirrorTable, rows: number) {
    this.#table = table;
    this.#rows = rows;
  }

  /** The next page; empty behind the last one. A failed read fails all that come after it. */
  async next(client: pg.ClientBase): Promise<readonly TextRow[]> {
    const before = this.#last;
    const page = before.then((last) => (last === 'end' ? [] : this.#read(client, last)));
    this.#last = page.then((rows) => {
      const last = rows.at(-1);
      if (last === undefined || rows.length < this.#rows) return 'end';
      return last.slice(0, this.#table.keyLength).map((cell) => cell ?? '');
    });
    this.#last.catch(() => undefined);
    return page;
  }

  #read(client: pg.ClientBase, last: readonly string[] | null): Promise<readonly TextRow[]> {
    const columns = this.#table.columns.map(({ name }) => ident(name)).join(', ');
    const key = this.#table.columns.slice(0, this.#table.keyLength);
    const names = key.map(({ name }) => ident(name)).join(', ');
    const after = key.map(({ type }, i) => `$${i + 1}::${type}`).join(', ');
    const behind = last === null ? '' : `and (${names}) > (${after})`;
    return preparedRows(
      client,
      `select ${columns} from ${mirrorName(this.#table)}
       where not _deleted ${behind} order by ${names} limit ${this.#rows}`,
      last ?? [],
    );
  }
}
