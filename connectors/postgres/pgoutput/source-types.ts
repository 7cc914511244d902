import type pg from 'pg';
import type { MirrorTable } from '../../../core/mirror-table.ts';
import { statementError, textRows } from '../connection.ts';
import { FIRST_USER_OID, mirrorType, type BaseType } from '../mirror-type.ts';
import { formatType } from './type-names.ts';

/** What a type is called, and what the mirror would use for it. */
export type NamedType = {
  readonly name: string;
  readonly mirrorType: string;
  /** The type below a domain, or the type itself; absent where the catalogue does not know it. */
  readonly baseType?: string;
  /** And its kind: `b` base, `e` enum, `c` composite, `r` range, `m` multirange. */
  readonly baseKind?: string;
};

/** The types of the source as its catalogue has them: names for the OIDs on the wire. */
export class SourceTypes {
  readonly #types: ReadonlyMap<number, KnownType>;
  /** Names of types with a modifier, as the server prints them, by `oid/typmod`. */
  readonly #modified: ReadonlyMap<string, string>;
  readonly #builtIn = new Map<string, string>();

  constructor(types: ReadonlyMap<number, KnownType>, modified: ReadonlyMap<string, string>) {
    this.#types = types;
    this.#modified = modified;
    for (const [oid, { name, internalName }] of types) {
      if (oid < FIRST_USER_OID) this.#builtIn.set(internalName, name);
    }
  }

  /** The type of a column, or null where the catalogue did not have it when it was read. */
  resolve(oid: number, typmod: number): NamedType | null {
    const known = this.#types.get(oid);
    if (known === undefined) return null;
    const { base, baseKind } = known;
    if (known.isDomain) {
      return { name: known.name, mirrorType: mirrorType(base), baseType: base.name, baseKind };
    }
    const name =
      typmod === -1
        ? known.name
        : (this.#modified.get(`${oid}/${typmod}`) ?? formatType(oid, typmod) ?? known.name);
    return { name, mirrorType: mirrorType({ ...base, name }), baseType: name, baseKind };
  }

  /** The printed name of a type that every server has, by its internal one: `int4` is `integer`. */
  builtIn(typname: string): string | null {
    return this.#builtIn.get(typname) ?? null;
  }
}

export type KnownType = {
  /** As `format_type` prints it without a modifier. */
  readonly name: string;
  /** `pg_type.typname`. */
  readonly internalName: string;
  readonly isDomain: boolean;
  /** The type itself, or what a domain rests on. */
  readonly base: BaseType;
  /** `pg_type.typtype` of that. */
  readonly baseKind: string;
};

/** All types that a column may have; row types of tables are left out. */
const TYPES = `
  with recursive chain as (
    select t.oid as root, t.oid, -1 as typmod, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typcategory
    from pg_type t left join pg_class c on c.oid = t.typrelid
    where t.typtype <> 'p' and (t.typrelid = 0 or c.relkind = 'c')
    union all
    select chain.root, b.oid, chain.typtypmod, b.typtype, b.typbasetype, b.typtypmod, b.typelem, b.typcategory
    from chain join pg_type b on b.oid = chain.typbasetype
    where chain.typtype = 'd'
  )
  select root, format_type(root, -1), root <> oid, oid, format_type(oid, typmod),
    case when typcategory = 'A' then typelem else 0 end,
    (select typname from pg_type where oid = root), typtype
  from chain where typtype <> 'd'`;

const MODIFIED = `
  select distinct a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod)
  from unnest($1::text[], $2::text[]) as wanted (nsp, rel)
  join pg_namespace n on n.nspname = wanted.nsp
  join pg_class c on c.relnamespace = n.oid and c.relname = wanted.rel
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where a.atttypmod <> -1`;

/** Reads the types that the mapped tables may use. One small query each, a few milliseconds. */
export async function readSourceTypes(
  client: pg.ClientBase,
  tables: readonly MirrorTable[],
): Promise<SourceTypes> {
  try {
    const types = await textRows(client, TYPES);
    const modified = await textRows(client, MODIFIED, [
      tables.map((table) => table.schema),
      tables.map((table) => table.relation),
    ]);
    return new SourceTypes(
      new Map(
        types.map(([root, name, isDomain, oid, baseName, element, typname, kind]) => [
          Number(root),
          {
            name: name ?? '',
            internalName: typname ?? '',
            isDomain: isDomain === 't',
            base: { oid: Number(oid), name: baseName ?? '', elementOid: Number(element) },
            baseKind: kind ?? '',
          },
        ]),
      ),
      new Map(modified.map(([oid, typmod, name]) => [`${oid}/${typmod}`, name ?? ''])),
    );
  } catch (error) {
    throw statementError('source', error, 'read types');
  }
}
