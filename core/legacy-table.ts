/**
 * How a column's values reach `map`. Types that JavaScript holds exactly become numbers, booleans
 * and bigints; everything else (decimals, times, uuids, bytea, arrays, JSON) is PostgreSQL's text.
 */
export type ValueOf = {
  int2: number;
  int4: number;
  int8: bigint;
  bool: boolean;
  text: string;
  numeric: string;
  date: string;
  timestamptz: string;
  timestamp: string;
  uuid: string;
  bytea: string;
  json: string;
};
export type ColumnKind = keyof ValueOf;

export type ColumnSpec<
  K extends ColumnKind = ColumnKind,
  N extends boolean = boolean,
  S extends boolean = boolean,
> = { readonly kind: K; readonly nullable: N; readonly secret: S };
export type Columns = Readonly<Record<string, ColumnSpec>>;

type Declarable<K extends ColumnKind> = ColumnSpec<K, false, false> & {
  /** The column may be null. */
  readonly orNull: ColumnSpec<K, true, false>;
  /** A secret: it never leaves the source and cannot be selected. */
  readonly neverRead: ColumnSpec<K, true, true>;
};

function column<K extends ColumnKind>(kind: K): Declarable<K> {
  return {
    kind,
    nullable: false,
    secret: false,
    orNull: { kind, nullable: true, secret: false },
    neverRead: { kind, nullable: true, secret: true },
  };
}

/** Column types for `legacyTable`: `int4`, `text.orNull`, `text.neverRead` for a secret. */
export const int2 = column('int2');
export const int4 = column('int4');
export const int8 = column('int8');
export const bool = column('bool');
export const text = column('text');
export const numeric = column('numeric');
export const date = column('date');
export const timestamptz = column('timestamptz');
export const timestamp = column('timestamp');
export const uuid = column('uuid');
export const bytea = column('bytea');
export const json = column('json');
