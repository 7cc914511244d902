import type { TextRow } from './session.ts';

/** How many there are, and the first few. */
export type Sample<T> = { readonly count: number; readonly examples: readonly T[] };

export type ColumnDifference = {
  /** The legacy id where the key is computed from one, else the key itself. */
  readonly key: string;
  readonly expected: string | null;
  readonly found: string | null;
};

export type RowDifferences = {
  /** Expected rows that are not there at all. */
  readonly missing: Sample<string>;
  /** Live rows that nothing yields. */
  readonly extra: Sample<string>;
  /** By column; `deleted_at` stands for an expected row that is soft-deleted. */
  readonly columns: ReadonlyMap<string, Sample<ColumnDifference>>;
};

type DiffInput = {
  readonly expected: ReadonlyMap<string, TextRow>;
  readonly found: ReadonlyMap<string, TextRow>;
  readonly isLive: (found: TextRow) => boolean;
  readonly columns: readonly string[];
  readonly maxExamples: number;
};

/** Compares rows by key and values by their text. */
export function diffRows(input: DiffInput): RowDifferences {
  const { expected, found, isLive, columns, maxExamples } = input;
  const missing = new Collector<string>(maxExamples);
  const extra = new Collector<string>(maxExamples);
  const byColumn = new Map<string, Collector<ColumnDifference>>();
  const differs = (column: string, difference: ColumnDifference) => {
    const collector = byColumn.get(column) ?? new Collector<ColumnDifference>(maxExamples);
    byColumn.set(column, collector.add(difference));
  };

  for (const [id, row] of expected) {
    const there = found.get(id);
    const key = readableKey(id);
    if (there === undefined) missing.add(key);
    else if (!isLive(there)) differs('deleted_at', { key, expected: null, found: 'a time' });
    else {
      for (const column of columns) {
        const [wanted, stored] = [row[column] ?? null, there[column] ?? null];
        if (wanted !== stored) differs(column, { key, expected: wanted, found: stored });
      }
    }
  }
  for (const [id, row] of found) {
    if (!expected.has(id) && isLive(row)) extra.add(readableKey(id));
  }
  return {
    missing: missing.sample(),
    extra: extra.sample(),
    columns: new Map([...byColumn].map(([column, collector]) => [column, collector.sample()])),
  };
}

export function differ({ missing, extra, columns }: RowDifferences): boolean {
  return missing.count > 0 || extra.count > 0 || columns.size > 0;
}

const COMPUTED_FROM_INTEGER = /^[0-9a-f]{8}-[0-9a-f]{4}-8000-([0-9a-f]{4})-([0-9a-f]{12})$/;
const LAST_62_BITS = (1n << 62n) - 1n;

/** The legacy id that a target id was computed from, or the id as it is. */
function readableKey(id: string): string {
  const match = COMPUTED_FROM_INTEGER.exec(id);
  if (match === null) return id;
  return String(BigInt(`0x${match[1]}${match[2]}`) & LAST_62_BITS);
}

class Collector<T> {
  #count = 0;
  readonly #examples: T[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(one: T): this {
    this.#count += 1;
    if (this.#examples.length < this.#max) this.#examples.push(one);
    return this;
  }

  sample(): Sample<T> {
    return { count: this.#count, examples: this.#examples };
  }
}
