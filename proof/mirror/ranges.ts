import { statementError, textRows } from '../../connectors/postgres/connection.ts';
import { rangeCondition } from '../../connectors/postgres/key-range.ts';
import { ident } from '../../connectors/postgres/sql.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { TableSide } from './side.ts';

/** Types that every server sorts alike. Texts sort by the server's collation. */
const SORTED_ALIKE =
  /^(smallint|integer|bigint|numeric|boolean|uuid|date|bytea|oid|timestamp|time )/;

/**
 * Whether the key's order is the same on both servers, so that a range of keys means the same rows.
 * Where it is not, a table is one range, spread over buckets by a hash of the key.
 */
export function hasCommonOrder(table: MirrorTable): boolean {
  return table.columns
    .slice(0, table.keyLength)
    .every(({ type }) => SORTED_ALIKE.test(type) && !type.endsWith('[]'));
}

/**
 * The key `rows` rows behind `lower`; null where there are not so many. One step of an index,
 * instead of a plan of the whole table: no statement is longer than a range.
 */
export async function nextBound(
  table: MirrorTable,
  lower: readonly string[] | null,
  rows: number,
  at: TableSide,
): Promise<readonly string[] | null> {
  const key = table.columns.slice(0, table.keyLength).map(({ name }) => ident(name));
  try {
    const [row] = await textRows(
      at.client,
      `select ${key.join(', ')} from ${at.from}
       where ${rangeCondition(table, { lower, upper: null }, at.typeOf)}
       order by ${key.join(', ')} offset ${rows - 1} limit 1`,
    );
    return row?.map((cell) => cell ?? '') ?? null;
  } catch (error) {
    throw statementError(at.side, error, `verify ${table.name}`);
  }
}
