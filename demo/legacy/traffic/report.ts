type TableCounts = Readonly<Record<string, number>>;

/** What the traffic has committed. Rolled back changes are not in it. */
export type TrafficReport = {
  readonly transactions: number;
  readonly rolledBack: number;
  readonly inserts: TableCounts;
  readonly updates: TableCounts;
  readonly deletes: TableCounts;
  /** How often each trap of section 21 was acted out. */
  readonly traps: TableCounts;
};

type ChangeKind = 'inserts' | 'updates' | 'deletes';

/** Changes of one transaction, or the sum over many. */
export class Tally {
  readonly #counts: Record<ChangeKind, Map<string, number>> = {
    inserts: new Map(),
    updates: new Map(),
    deletes: new Map(),
  };

  add(kind: ChangeKind, table: string, rows: number): void {
    const counts = this.#counts[kind];
    if (rows > 0) counts.set(table, (counts.get(table) ?? 0) + rows);
  }

  addAll(other: Tally): void {
    for (const kind of ['inserts', 'updates', 'deletes'] as const) {
      for (const [table, rows] of other.#counts[kind]) this.add(kind, table, rows);
    }
  }

  changes(): number {
    let total = 0;
    for (const counts of Object.values(this.#counts)) {
      for (const rows of counts.values()) total += rows;
    }
    return total;
  }

  of(kind: ChangeKind): TableCounts {
    return Object.fromEntries([...this.#counts[kind]].sort());
  }
}
