import type { MirrorTable } from '../../core/mirror-table.ts';
import { ident, literal, qualified } from './sql.ts';

/** Keys behind `lower` up to and including `upper`; null is open. */
export type KeyRange = {
  readonly lower: readonly string[] | null;
  readonly upper: readonly string[] | null;
};

/** Where the table is in the source. */
export const sourceName = (table: MirrorTable): string => qualified(table.schema, table.relation);

/** A condition on the key columns, with literals: COPY takes no parameters. */
export function rangeCondition(
  table: MirrorTable,
  { lower, upper }: KeyRange,
  typeOf: (column: MirrorTable['columns'][number]) => string,
): string {
  const key = table.columns.slice(0, table.keyLength);
  const names = key.map(({ name }) => ident(name)).join(', ');
  const bound = (values: readonly string[]) =>
    `(${key.map((column, i) => `${literal(values[i] ?? '')}::${typeOf(column)}`).join(', ')})`;
  const parts = [
    lower === null ? null : `(${names}) > ${bound(lower)}`,
    upper === null ? null : `(${names}) <= ${bound(upper)}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? 'true' : parts.join(' and ');
}
