import type { ColumnKind } from '../../core/legacy-table.ts';

/** Kinds by the name of the base type, without length or precision. */
const KIND_OF: Readonly<Record<string, ColumnKind>> = {
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
  boolean: 'bool',
  text: 'text',
  'character varying': 'text',
  character: 'text',
  citext: 'text',
  name: 'text',
  numeric: 'numeric',
  date: 'date',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
  uuid: 'uuid',
  bytea: 'bytea',
  json: 'json',
  jsonb: 'json',
};

/** `character varying(30)` is `character varying`, `timestamp(3) with time zone` has no (3). */
function withoutModifier(type: string): string {
  return type.replace(/\(\d+(?:,-?\d+)?\)/, '');
}

/** The kind that fits best. What has none of its own is handed to `map` as PostgreSQL's text. */
export function kindOf(type: string): ColumnKind {
  return KIND_OF[withoutModifier(type)] ?? 'text';
}

/**
 * Whether a column of this type may be declared as `kind`. Anything may be read as text; a number
 * may be declared wider than it is, never narrower, where digits would be lost.
 */
export function fits(kind: ColumnKind, type: string): boolean {
  const exact = kindOf(type);
  if (kind === exact || kind === 'text') return true;
  switch (kind) {
    case 'int4':
      return exact === 'int2';
    case 'int8':
      return exact === 'int2' || exact === 'int4';
    case 'numeric':
      return exact === 'int2' || exact === 'int4' || exact === 'int8' || isFloat(type);
    case 'int2':
    case 'bool':
    case 'date':
    case 'timestamptz':
    case 'timestamp':
    case 'uuid':
    case 'bytea':
    case 'json':
      return false;
  }
}

const isFloat = (type: string) => type === 'real' || type === 'double precision';
