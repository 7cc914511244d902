/** A column of the mirror. `type` stands in SQL as it is; `sourceType` is what the source declares. */
export type MirrorColumn = {
  readonly name: string;
  readonly type: string;
  readonly sourceType: string;
  readonly inKey: boolean;
  /** Where the source declares another type than the mirror: that one, as printed, below any domain. */
  readonly baseType?: string;
  /** And its kind: `b` base, `e` enum, `c` composite, `r` range, `m` multirange. */
  readonly baseKind?: string;
};

/**
 * The twin of a legacy table: the mapped columns only, key columns first, in a fixed order that
 * every `Image` of the table follows.
 */
export type MirrorTable = {
  /** As the mapping names it: `table`, or `schema.table` outside `public`. Also the twin's name. */
  readonly name: string;
  readonly schema: string;
  readonly relation: string;
  readonly columns: readonly MirrorColumn[];
  /** How many of the first columns are the primary key. */
  readonly keyLength: number;
  /** Stands in for the twin: the quoted, qualified name of what is read and merged into instead. */
  readonly standIn?: string;
};

/** Text form of a value; `null` is SQL null; `undefined` is an unchanged TOAST value that was not sent. */
export type Cell = string | null | undefined;

/** One value per column of the `MirrorTable`, in its order. */
export type Image = readonly Cell[];

/** Splits `schema.table`; a name without a dot is in `public`. */
export function splitTableName(name: string): { schema: string; relation: string } {
  const dot = name.indexOf('.');
  return dot === -1
    ? { schema: 'public', relation: name }
    : { schema: name.slice(0, dot), relation: name.slice(dot + 1) };
}

/** The key of an image as one string, unique within its table. */
export function keyText(table: MirrorTable, image: Image): string {
  if (table.keyLength === 1) return image[0] ?? '';
  return JSON.stringify(image.slice(0, table.keyLength));
}

/** The key columns' values, from what `keyText` returned. */
export function keyParts(table: MirrorTable, key: string): readonly string[] {
  return table.keyLength === 1 ? [key] : (JSON.parse(key) as string[]);
}
