import type { MarkFault, RowFault } from '../target/target-proof.ts';
import type { Sink } from '../target/findings.ts';

/** What deriving again would do to the rows of one table. Names and keys only, no values. */
export type TableChanges = {
  readonly table: string;
  readonly inserted: number;
  readonly changed: number;
  /** Marked as deleted; taken out of a table without `deleted_at`. */
  readonly removed: number;
  /** By column: in how many of the changed rows it differs. */
  readonly columns: Readonly<Record<string, number>>;
  /** Keys of the first few roots. */
  readonly examples: readonly string[];
};

/** Roots whose outcome would be another: they come onto a list, leave it, or stand there otherwise. */
export type OutcomeChange = {
  readonly list: MarkFault['list'];
  readonly becomes: 'added' | 'taken off' | 'changed';
  /** The rule, the column, or the kind of error. */
  readonly of: string | null;
  readonly count: number;
  readonly examples: readonly string[];
};

export type ForeseenChanges = {
  readonly entity: string;
  readonly roots: number;
  readonly tables: readonly TableChanges[];
  readonly outcomes: readonly OutcomeChange[];
  /** Roots that the target refused: they are tried again, and what comes of it only it can say. */
  readonly unforeseeable: number;
};

type Counts = {
  inserted: number;
  changed: number;
  removed: number;
  columns: Map<string, number>;
  examples: Set<string>;
};
type OutcomeCount = {
  change: Omit<OutcomeChange, 'count' | 'examples'>;
  count: number;
  examples: Set<string>;
};

const BECOMES = { missing: 'added', extra: 'taken off', different: 'changed' } as const;

/** Counts what differs between the target and what the mapping says now, for one entity. */
export class Foreseen implements Sink {
  readonly #examples: number;
  readonly #tables = new Map<string, Counts>();
  readonly #outcomes = new Map<string, OutcomeCount>();

  constructor(examples: number) {
    this.#examples = examples;
  }

  /** A row without any root is nobody's: deriving again does not come across it. */
  row(kind: 'missing' | 'extra' | 'different', { root, table, columns }: RowFault): void {
    if (root === null) return;
    let counts = this.#tables.get(table);
    if (counts === undefined) {
      counts = { inserted: 0, changed: 0, removed: 0, columns: new Map(), examples: new Set() };
      this.#tables.set(table, counts);
    }
    if (kind === 'missing') counts.inserted++;
    else if (kind === 'extra') counts.removed++;
    else counts.changed++;
    for (const column of columns) counts.columns.set(column, (counts.columns.get(column) ?? 0) + 1);
    if (counts.examples.size < this.#examples) counts.examples.add(root);
  }

  /** The record of what fan-outs yielded is no outcome; it follows the rows. */
  mark({ list, kind, root, of }: MarkFault): void {
    if (list === 'yielded') return;
    const change = { list, becomes: BECOMES[kind], of };
    const name = JSON.stringify(change);
    let known = this.#outcomes.get(name);
    if (known === undefined) {
      this.#outcomes.set(name, (known = { change, count: 0, examples: new Set() }));
    }
    known.count++;
    if (known.examples.size < this.#examples) known.examples.add(root);
  }

  get tables(): readonly TableChanges[] {
    return [...this.#tables].map(([table, { columns, examples, ...counts }]) => ({
      table,
      ...counts,
      columns: Object.fromEntries(columns),
      examples: [...examples],
    }));
  }

  get outcomes(): readonly OutcomeChange[] {
    return [...this.#outcomes.values()].map(({ change, count, examples }) => ({
      ...change,
      count,
      examples: [...examples],
    }));
  }
}
