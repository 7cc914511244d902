import type { MirrorColumn, MirrorTable } from '../core/mirror-table.ts';
import type { Describe } from '../connectors/postgres/pgoutput/decode.ts';
import type { WireRelation } from '../connectors/postgres/pgoutput/relation-plan.ts';

type Resolve = Parameters<Describe>[2];

/**
 * Tables with all columns that the stream sends of them, as it describes them: a column that is added
 * is there from the first row that has it, and one that is dropped up to the last. The catalogue
 * would tell what the table is now, which is not what it was when the row was written.
 */
export class DescribedTables {
  readonly #left: ReadonlySet<string>;
  readonly #described = new Map<string, MirrorTable>();

  /** @param left `schema.table.column` of columns that must not leave the source */
  constructor(left: ReadonlySet<string>) {
    this.#left = left;
  }

  /** The server repeats itself often: the same description is the same table. */
  readonly describe: Describe = (table, wire, resolve) => {
    const found = describedTable(table, wire, { resolve, left: this.#left });
    const known = this.#described.get(table.name);
    if (known !== undefined && isSame(known, found)) return known;
    this.#described.set(table.name, found);
    return found;
  };
}

/**
 * @param table its name, and its key in the order of the index
 */
function describedTable(
  table: MirrorTable,
  wire: WireRelation,
  { resolve, left }: { readonly resolve: Resolve; readonly left: ReadonlySet<string> },
): MirrorTable {
  const { name, schema, relation } = table;
  const key = keyOf(table, wire);
  const sent = wire.columns.filter((column) => !left.has(`${schema}.${relation}.${column.name}`));
  const columns = sent.flatMap((column): MirrorColumn[] => {
    const type = resolve(column);
    // Gone from the catalogue, and never announced: its rows tell, should any come.
    if (type === null) return [];
    const { name: sourceType, mirrorType, baseType, baseKind } = type;
    const isOther = mirrorType !== sourceType && baseType !== undefined && baseKind !== undefined;
    return [
      {
        name: column.name,
        type: mirrorType,
        sourceType,
        inKey: key.includes(column.name),
        ...(isOther ? { baseType, baseKind } : {}),
      },
    ];
  });
  const ofKey = key.flatMap((wanted) => columns.filter((column) => column.name === wanted));
  const others = columns.filter((column) => !column.inKey);
  return { name, schema, relation, columns: [...ofKey, ...others], keyLength: ofKey.length };
}

/** The primary key, as long as the stream identifies rows by it; else what it identifies them by. */
function keyOf(table: MirrorTable, { replicaIdentity, columns }: WireRelation): readonly string[] {
  const key = table.columns.slice(0, table.keyLength).map((column) => column.name);
  const flagged = columns.filter((column) => column.isFlagged).map((column) => column.name);
  const isSent = key.every((name) => flagged.includes(name));
  const isWhole = replicaIdentity === 'f' || flagged.length === key.length;
  if (isSent && isWhole) return key;
  return replicaIdentity === 'f' ? [] : flagged;
}

function isSame(a: MirrorTable, b: MirrorTable): boolean {
  return (
    a.keyLength === b.keyLength &&
    a.columns.length === b.columns.length &&
    a.columns.every((column, i) => {
      const other = b.columns[i];
      return (
        column.name === other?.name &&
        column.type === other.type &&
        column.sourceType === other.sourceType &&
        column.baseType === other.baseType &&
        column.baseKind === other.baseKind
      );
    })
  );
}
