import { TandemError } from '../../../core/errors.ts';
import type { MirrorColumn, MirrorTable } from '../../../core/mirror-table.ts';
import type { NamedType } from './source-types.ts';
import type { TuplePlan } from './tuple.ts';
import { canHold } from './type-names.ts';

export type WireColumn = {
  readonly name: string;
  /** Part of the replica identity; with REPLICA IDENTITY FULL every column is. */
  readonly isFlagged: boolean;
  readonly typeOid: number;
  readonly typmod: number;
};

/** What a Relation message says. */
export type WireRelation = {
  readonly schema: string;
  readonly relation: string;
  /** `d` default, `n` nothing, `f` full, `i` index. */
  readonly replicaIdentity: string;
  readonly columns: readonly WireColumn[];
};

/** How rows of one relation are read: whole, and where only the key counts. */
export type RelationPlan = {
  readonly table: MirrorTable;
  readonly row: TuplePlan;
  readonly key: TuplePlan;
};

/** Names the type of a wire column; null where nobody knows it any more. */
export type ResolveType = (column: WireColumn) => NamedType | null;

/**
 * Compares what the stream says of a table with what the mirror was built from, and plans how its
 * rows are read. Columns that the mapping does not use may come and go.
 *
 * @throws TandemError `RELATION_CHANGED` naming table and column
 */
export function planRelation(
  table: MirrorTable,
  wire: WireRelation,
  resolve: ResolveType,
): RelationPlan {
  if (wire.replicaIdentity === 'n') {
    throw changed(table, '', 'REPLICA IDENTITY NOTHING: updates and deletes carry no key');
  }
  const places = new Int16Array(wire.columns.length).fill(-1);
  for (const [place, column] of table.columns.entries()) {
    const index = wire.columns.findIndex((it) => it.name === column.name);
    const found = wire.columns[index];
    if (found === undefined) throw changed(table, column.name, 'the column is not in the stream');
    checkType(table, column, resolve(found));
    if (column.inKey && !found.isFlagged) {
      throw changed(table, column.name, 'the key column is not in the replica identity');
    }
    places[index] = place;
  }
  checkKey(table, wire);
  const { keyLength } = table;
  return {
    table,
    row: { places, blank: blankRow(table.columns.length) },
    key: {
      places: places.map((place) => (place < keyLength ? place : -1)),
      blank: blankRow(keyLength),
    },
  };
}

/** By default the replica identity is the primary key: a further column would make ours ambiguous. */
function checkKey(table: MirrorTable, { replicaIdentity, columns }: WireRelation): void {
  if (replicaIdentity !== 'd') return;
  const key = table.columns.slice(0, table.keyLength).map((column) => column.name);
  const other = columns.find((column) => column.isFlagged && !key.includes(column.name));
  if (other !== undefined) throw changed(table, other.name, 'the column is part of the key now');
}

function checkType(table: MirrorTable, column: MirrorColumn, found: NamedType | null): void {
  if (found === null) throw changed(table, column.name, 'its type is gone from the source');
  const isSame = found.name === column.sourceType;
  if (isSame || canHold(column.type, found.mirrorType)) return;
  throw changed(table, column.name, `type ${found.name}, the mirror has ${column.type}`);
}

function changed(table: MirrorTable, column: string, what: string): TandemError {
  const details = column === '' ? {} : { column };
  return new TandemError('RELATION_CHANGED', { table: table.name, ...details, what });
}

/** An array that V8 keeps packed: made by pushing. */
function blankRow(length: number): undefined[] {
  const row: undefined[] = [];
  for (let i = 0; i < length; i++) row.push(undefined);
  return row;
}
