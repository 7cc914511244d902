import type { ColumnKind } from '../../core/legacy-table.ts';
import { splitTableName, type MirrorColumn, type MirrorTable } from '../../core/mirror-table.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import { fits } from './column-kind.ts';
import { canHold } from './pgoutput/type-names.ts';

/** What the mapping reads of a table, and what it declares the columns as. */
type DeclaredTable = {
  readonly key: readonly string[];
  readonly columns: Iterable<string>;
  readonly kinds: ReadonlyMap<string, ColumnKind>;
};

/** What the mirror has of a table. */
export type HeldTable = {
  readonly key: readonly string[];
  /** Its own types by column. */
  readonly types: ReadonlyMap<string, string>;
  /** The source's types of the columns that are kept up: what a column held before is not its value. */
  readonly kept: ReadonlyMap<string, string>;
};

/** How a mirror table has to change, so that it can go on. */
export type TableVerdict =
  | {
      readonly kind: 'usable';
      readonly table: MirrorTable;
      /** Take the new type as they are: every value stays what it is. */
      readonly widened: readonly MirrorColumn[];
      /** Have to be read (again): new ones, and ones whose values the source may have rewritten. */
      readonly remade: readonly MirrorColumn[];
      /** The twin is made (again): there is none, or its key is another. */
      readonly isNew: boolean;
      /** Kept up until now, and not read any more. */
      readonly dropped: readonly string[];
    }
  | { readonly kind: 'stopped'; readonly reason: string };

const stopped = (reason: string): TableVerdict => ({ kind: 'stopped', reason });

/**
 * Compares what the mapping reads, what the source has and what the mirror has of one table.
 *
 * A type that became wider is followed where every value keeps its text. Any other change of a type
 * may have rewritten the rows (`using`, a rounded scale), about which the log says nothing, so the
 * column is read again, if the mapping's declaration takes the new type at all.
 */
export function judgeTable(
  name: string,
  declared: DeclaredTable,
  found: CatalogTable | undefined,
  held: HeldTable | null,
): TableVerdict {
  if (found === undefined) return stopped('the source does not have the table');
  const reason = keyProblem(declared.key, found);
  if (reason !== null) return stopped(reason);
  const columns: MirrorColumn[] = [];
  const widened: MirrorColumn[] = [];
  const remade: MirrorColumn[] = [];
  for (const name of new Set([...declared.key, ...declared.columns])) {
    const present = found.columns.find((column) => column.name === name);
    if (present === undefined) return stopped(`the source does not have the column ${name}`);
    if (present.isGenerated) return stopped(`column ${name}: generated ones are not replicated`);
    const kind = declared.kinds.get(name) ?? 'text';
    const inKey = declared.key.includes(name);
    const isKnownKey = inKey && held?.types.get(name) === present.mirrorType;
    const change = isKnownKey
      ? ({ kind: 'same', type: present.mirrorType } as const)
      : judgeColumn(present, kind, held);
    if (change.kind === 'stopped') return change;
    const column = { name, type: change.type, sourceType: present.type, inKey };
    columns.push(column);
    if (change.kind === 'widened') widened.push(column);
    if (change.kind === 'remade') remade.push(column);
  }
  const { schema, relation } = splitTableName(name);
  const table = { name, schema, relation, columns, keyLength: declared.key.length };
  const isOtherKey = held?.key.join() !== declared.key.join();
  const isNew = held === null || isOtherKey || remade.some((column) => column.inKey);
  const names = new Set(columns.map((column) => column.name));
  const dropped = [...(held?.kept.keys() ?? [])].filter((column) => !names.has(column));
  return { kind: 'usable', table, widened, remade, isNew, dropped };
}

function keyProblem(key: readonly string[], found: CatalogTable): string | null {
  const sorted = (names: readonly string[]) => [...names].sort().join(', ');
  const { kind, columns } = found.replicaIdentity;
  const isUnique =
    found.keys.some((it) => sorted(it.columns) === sorted(key)) ||
    (kind === 'index' && sorted(columns) === sorted(key));
  if (!isUnique) {
    const now = found.primaryKey.length === 0 ? 'none' : `(${found.primaryKey.join(', ')})`;
    return `its key is declared as (${key.join(', ')}); the source has ${now}`;
  }
  const lacking = key.find((column) => !columns.includes(column));
  if (lacking === undefined) return null;
  return `replica identity ${kind} does not contain the key column ${lacking}`;
}

type ColumnChange =
  | { readonly kind: 'same' | 'widened' | 'remade'; readonly type: string }
  | { readonly kind: 'stopped'; readonly reason: string };

function judgeColumn(
  found: CatalogColumn,
  declaredAs: ColumnKind,
  held: HeldTable | null,
): ColumnChange {
  const { name, type: now, mirrorType } = found;
  const before = held?.kept.get(name);
  const type = held?.types.get(name);
  if (before === undefined || type === undefined) return { kind: 'remade', type: mirrorType };
  if (before === now) return { kind: 'same', type };
  if (isWider(now, before, declaredAs)) {
    if (canHold(type, mirrorType)) return { kind: 'same', type };
    return { kind: 'widened', type: mirrorType };
  }
  if (fits(declaredAs, now)) return { kind: 'remade', type: mirrorType };
  const reason = `column ${name} is ${now} now, it was ${before}, and is declared as ${declaredAs}`;
  return { kind: 'stopped', reason };
}

const INTEGER = /^(smallint|integer|bigint)$/;
/** Widening prints other digits: 0.1 becomes 0.10000000149011612. */
const REAL = /^real\b/;

/** Whether all values keep their text; integers may outgrow their declaration, which is an exact number up to 2^53. */
function isWider(now: string, before: string, declaredAs: ColumnKind): boolean {
  if (!canHold(now, before) || REAL.test(before)) return false;
  return fits(declaredAs, now) || (INTEGER.test(now) && INTEGER.test(before));
}
