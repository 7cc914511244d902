import type { Model, TargetColumn, TargetTable } from '../../consumers/model.ts';
import type { PlannedRow } from '../../consumers/map-roots.ts';
import type { Resolved } from '../../consumers/resolve.ts';
import { encodeRow, writtenColumns } from '../../consumers/write-rows.ts';
import { TandemError } from '../../core/errors.ts';
import type { TargetRow } from '../../core/outcome.ts';
import { RowComparison, type ExpectedRow } from './compare-rows.ts';

/** Rows of one table that write the same columns. */
export type RowGroup = {
  readonly table: TargetTable;
  readonly columns: readonly TargetColumn[];
  readonly comparison: RowComparison;
  /** Where the mapping writes `deleted_at` itself: its place in the cells. */
  readonly deletedAt: number | null;
  readonly rows: ExpectedRow[];
};

type Form = {
  /** The row's columns, in its order. */
  readonly names: readonly string[];
  readonly table: TargetTable;
  readonly columns: readonly TargetColumn[];
  readonly comparison: RowComparison;
  readonly deletedAt: number | null;
};

/** Turns what roots yield into rows to compare. One for an entity: it remembers the statements. */
export class ExpectedRows {
  readonly #model: Model;
  /** By table: mostly one. */
  readonly #forms = new Map<string, Form[]>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** @returns the rows by form, and the roots with a row that no table can take */
  group(roots: readonly Resolved[]): { groups: RowGroup[]; unfit: string[] } {
    const groups = new Map<Form, RowGroup>();
    const unfit: string[] = [];
    for (const root of roots) {
      if (root.mapped.kind !== 'rows' || root.heldBy.length > 0) continue;
      for (const planned of root.mapped.rows) {
        try {
          const form = this.#formOf(planned);
          let group = groups.get(form);
          if (group === undefined) groups.set(form, (group = { ...form, rows: [] }));
          group.rows.push({ root: root.key, cells: cellsOf(form, planned, root) });
        } catch (error) {
          if (!(error instanceof TandemError)) throw error;
          unfit.push(root.key);
        }
      }
    }
    return { groups: [...groups.values()], unfit };
  }

  #formOf({ table: name, row }: PlannedRow): Form {
    const known = this.#forms.get(name) ?? [];
    const same = known.find(({ names }) => hasColumns(row, names));
    if (same !== undefined) return same;
    const table = this.#model.targets.get(name);
    if (table === undefined)
      throw new TandemError('TABLE_MISSING', { side: 'target', table: name });
    const columns = writtenColumns(table, row);
    const at = columns.findIndex((column) => column.name === 'deleted_at');
    const form = {
      names: Object.keys(row),
      table,
      columns,
      comparison: new RowComparison(table, columns),
      deletedAt: at === -1 ? null : at,
    };
    this.#forms.set(name, [...known, form]);
    return form;
  }
}

/** Asked of every row, so it makes nothing. */
function hasColumns(row: TargetRow, names: readonly string[]): boolean {
  let i = 0;
  for (const name in row) if (name !== names[i++]) return false;
  return i === names.length;
}

/** A reference whose parent is not there is null, as the list of unresolved ones says. */
function cellsOf({ table, columns }: Form, planned: PlannedRow, root: Resolved) {
  const cells = encodeRow(table, columns, planned.row);
  for (const missing of root.unresolved) {
    if (missing.targetTable !== planned.table || missing.targetId !== planned.id) continue;
    cells[columns.findIndex(({ name }) => name === missing.column)] = null;
  }
  return cells;
}
