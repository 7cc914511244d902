import type { Cell, Row } from './row.ts';

export type Overrides = Readonly<Record<string, Cell>>;

/**
 * Lays planted variants evenly over the rows of a table, one per row.
 *
 * @returns for a row index the variant that falls on it, if any
 */
export function spread<T>(variants: readonly T[], rows: number): (index: number) => T | undefined {
  if (variants.length > rows) {
    throw new Error(`${variants.length} planted variants do not fit into ${rows} rows`);
  }
  const places = new Map(
    variants.map((variant, i) => [Math.floor(((i + 0.5) * rows) / variants.length), variant]),
  );
  return (index) => places.get(index);
}

export function withOverrides(row: Row, overrides: Overrides | undefined): Row {
  return overrides === undefined ? row : { ...row, ...overrides };
}
