/** A query that finds the rows of `table` that carry a trap: its only column is the key, `id`. */
export type Trap = {
  /** Number in section 21 of the specification, for example `T01`. */
  readonly number: string;
  readonly table: string;
  readonly sql: string;
};

export type TrapRows = {
  readonly table: string;
  readonly count: number;
  /** The first thousand ids, ascending. */
  readonly ids: readonly number[];
};

/** By trap number; a trap that touches several tables has several entries. */
export type PlantedTraps = ReadonlyMap<string, readonly TrapRows[]>;

/** A trap that is a condition on single rows of one table. */
export function rowsWhere(number: string, table: string, condition: string): Trap {
  return { number, table, sql: `select t.id from ${table} t where ${condition}` };
}
