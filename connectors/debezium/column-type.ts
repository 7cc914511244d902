import type { MirrorColumn } from '../../core/mirror-table.ts';

/** The type that the server writes values of, below any domain, taken apart. */
export type ColumnType = {
  /** Without modifiers, schema and `[]`: `timestamp without time zone`, `numeric`, `hstore`. */
  readonly name: string;
  /** Length, or precision and scale; empty where the column declares none. */
  readonly modifiers: readonly number[];
  readonly isArray: boolean;
  /** Of a type that somebody made: `pg_type.typtype`, or null where that is not known. */
  readonly madeKind: string | null;
};

const MODIFIERS = /\((-?\d+(?:,-?\d+)*)\)/;

/**
 * The mirror's own type says it, but where that is text in place of a type that the target may lack:
 * there it is the type below the domain if known, else what the source declares.
 */
export function columnTypeOf(column: MirrorColumn): ColumnType {
  const isStandIn = column.type === 'text' || column.type === 'text[]';
  const declared = column.baseType ?? (isStandIn ? column.sourceType : column.type);
  return parseType(declared, column.baseKind ?? null);
}

function parseType(declared: string, madeKind: string | null): ColumnType {
  const isArray = declared.endsWith('[]');
  const one = isArray ? declared.slice(0, -2) : declared;
  const match = MODIFIERS.exec(one);
  const bare = match === null ? one : one.replace(match[0], '');
  const name = bare.slice(bare.lastIndexOf('.') + 1);
  return {
    name: name.startsWith('"') && name !== '"char"' ? name.slice(1, -1) : name,
    modifiers: match === null ? [] : (match[1] ?? '').split(',').map(Number),
    isArray,
    madeKind: isArray ? null : madeKind,
  };
}
