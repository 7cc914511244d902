import type pg from 'pg';
import {
  preparedRows,
  statementError,
  type TextRow,
} from '../../connectors/postgres/connection.ts';
import { columnLiteral, ident } from '../../connectors/postgres/sql.ts';
import type { TargetColumn, TargetTable } from '../../consumers/model.ts';
import { fromBatch, targetName, unnested } from '../../consumers/write-rows.ts';

/** A row as the mirror says that it must be: the text of every written column, `id` first. */
export type ExpectedRow = { readonly root: string; readonly cells: readonly (string | null)[] };

/** How a row of the target differs from what is expected; `columns` null: there is no row. */
type Difference = {
  readonly expected: ExpectedRow;
  readonly isLive: boolean;
  readonly columns: readonly string[] | null;
};

type Compared = {
  readonly differences: readonly Difference[];
  /** Rows whose values the target's columns cannot hold. */
  readonly unfit: readonly ExpectedRow[];
};

/** A value of the target, and what it must be, in a form that says the same about both. */
type Sides = { readonly now: string; readonly next: string };

/**
 * Both sides as the column's type. `character(n)` pads what it is given and a cast to it cuts what
 * is longer, so of those the texts are compared, which have no blanks at the end.
 */
function sidesOf(column: TargetColumn): Sides {
  const now = `row_now.${ident(column.name)}`;
  const next = fromBatch(column);
  if (!/^character\(\d+\)/.test(column.type)) return { now, next };
  const type = column.type.endsWith('[]') ? 'text[]' : 'text';
  return { now: `${now}::${type}`, next: `${next}::${type}` };
}

/** Byte by byte, as the writer decides whether a row has to be written. */
const differs = (sides: readonly Sides[]) =>
  `row(${sides.map((it) => it.now).join(', ')})::record
   operator(pg_catalog.*<>) row(${sides.map((it) => it.next).join(', ')})::record`;

/** What the writer sets where a mapping does not write it itself. */
const DELETED: Sides = { now: 'row_now.deleted_at', next: 'null::timestamptz' };

/** Compares rows of one table that have the same columns. */
export class RowComparison {
  readonly #columns: readonly TargetColumn[];
  readonly #compared: readonly string[];
  readonly #sql: string;

  constructor(table: TargetTable, columns: readonly TargetColumn[]) {
    const rest = columns.filter(({ name }) => name !== 'id');
    const hasDeleted = table.columns.has('deleted_at');
    const isOurs = hasDeleted && !rest.some(({ name }) => name === 'deleted_at');
    const sides = [...rest.map(sidesOf), ...(isOurs ? [DELETED] : [])];
    this.#columns = columns;
    this.#compared = [...rest.map(({ name }) => name), ...(isOurs ? ['deleted_at'] : [])];
    const names = [...columns.map(({ name }) => ident(name)), 'place'];
    const isLive = hasDeleted ? 'row_now.deleted_at is null' : 'true';
    const flags = sides.map((side) => `, ${differs([side])}`);
    this.#sql = `select batch.place, row_now.id is null, ${isLive}${flags.join('')}
      from ${unnested(columns)} with ordinality as batch (${names.join(', ')})
      left join ${targetName(table.name)} as row_now on row_now.id = batch.id
      where row_now.id is null${sides.length === 0 ? '' : ` or ${differs(sides)}`}`;
  }

  /**
   * @param again puts the session back after a failed statement: values that a column cannot hold
   *   fail the whole statement, and are then looked for by halves
   */
  async run(
    client: pg.ClientBase,
    rows: readonly ExpectedRow[],
    again: () => Promise<void>,
  ): Promise<Compared> {
    if (rows.length === 0) return { differences: [], unfit: [] };
    const arrays = this.#columns.map((_, i) => columnLiteral(rows, ({ cells }) => cells[i]));
    let found: TextRow[];
    try {
      found = await preparedRows(client, this.#sql, arrays);
    } catch (error) {
      const named = statementError('target', error, 'compare rows');
      if (!UNFIT.test(String(named.details['sqlstate']))) throw named;
      await again();
      const [only, ...others] = rows;
      if (only !== undefined && others.length === 0) return { differences: [], unfit: [only] };
      const half = rows.length >> 1;
      const first = await this.run(client, rows.slice(0, half), again);
      const second = await this.run(client, rows.slice(half), again);
      return {
        differences: [...first.differences, ...second.differences],
        unfit: [...first.unfit, ...second.unfit],
      };
    }
    const differences = found.flatMap((row): Difference[] => {
      const expected = rows[Number(row[0]) - 1];
      if (expected === undefined) return [];
      if (row[1] === 't') return [{ expected, isLive: false, columns: null }];
      const columns = this.#compared.filter((_, i) => row[i + 3] === 't');
      return [{ expected, isLive: row[2] === 't', columns }];
    });
    return { differences, unfit: [] };
  }
}

/** A value that its type does not take, or that a domain refuses. */
const UNFIT = /^(22|23)/;
