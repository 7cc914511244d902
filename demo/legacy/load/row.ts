/** `\N` in a COPY stream is null; every other value is its text form. */
export type Cell = string | number | boolean | null;

/** One row of a table by column name. Every column of the table must be there. */
export type Row = Readonly<Record<string, Cell>>;

export type RowSource = {
  readonly table: string;
  readonly rows: Iterable<Row>;
  /** Expected number of rows, for the progress display. */
  readonly total: number;
};
