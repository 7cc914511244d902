import { differ, type ColumnDifference, type RowDifferences, type Sample } from './diff.ts';

export type TableReport = RowDifferences & {
  readonly table: string;
  /** Rows that have to be live. */
  readonly expected: number;
  /** Rows that are. */
  readonly live: number;
  /** Columns of the target that nobody said anything about. */
  readonly unchecked: readonly string[];
};

/** Rules of the journal that some row breaks, with the ids of the rows. */
export type JournalReport = {
  readonly rows: number;
  readonly broken: ReadonlyMap<string, Sample<string>>;
};

export type OracleReport = {
  readonly tables: readonly TableReport[];
  readonly journal: JournalReport;
  readonly agrees: boolean;
};

export function disagrees(report: TableReport): boolean {
  return differ(report) || report.unchecked.length > 0;
}

/** One line per table, and below it what differs. */
export function reportLines({ tables, journal }: OracleReport): string[] {
  const width = Math.max(...tables.map(({ table }) => table.length), JOURNAL.length);
  return [
    ...tables.flatMap((it) => [
      `${it.table.padEnd(width)}  expected ${it.expected}  live ${it.live}  ${verdict(it)}`,
      ...tableDifferences(it).map((line) => `    ${line}`),
    ]),
    `${JOURNAL.padEnd(width)}  rows ${journal.rows}`,
    ...journalDifferences(journal).map((line) => `    ${line}`),
  ];
}

/** Every difference as a line that names table, key, column and both values. */
export function differenceLines({ tables, journal }: OracleReport): string[] {
  return [
    ...tables.flatMap((it) => tableDifferences(it).map((line) => `${it.table}: ${line}`)),
    ...journalDifferences(journal).map((line) => `${JOURNAL}: ${line}`),
  ];
}

export function rowDifferenceLines({ missing, extra, columns }: RowDifferences): string[] {
  return [
    ...keysLine('missing', missing),
    ...keysLine('live without reason', extra),
    ...[...columns].flatMap(([column, sample]) => columnLines(column, sample)),
  ];
}

/** What the rows of origin observed_change are called in lines and in `except`. */
export const JOURNAL = 'observed changes';

function verdict(report: TableReport): string {
  return disagrees(report) ? 'DIFFERS' : 'agrees';
}

function tableDifferences(report: TableReport): string[] {
  const unchecked = report.unchecked.map((name) => `column ${name} is not checked`);
  return [...unchecked, ...rowDifferenceLines(report)];
}

function columnLines(column: string, { count, examples }: Sample<ColumnDifference>): string[] {
  return [
    `column ${column} differs in ${count} rows`,
    ...examples.map(
      (it) => `  ${it.key}.${column}: expected ${shown(it.expected)}, found ${shown(it.found)}`,
    ),
  ];
}

function journalDifferences({ broken }: JournalReport): string[] {
  return [...broken].flatMap(([rule, sample]) => keysLine(`rule "${rule}" broken`, sample));
}

function keysLine(what: string, { count, examples }: Sample<string>): string[] {
  if (count === 0) return [];
  const more = count > examples.length ? ', …' : '';
  return [`${what}: ${count} (${examples.join(', ')}${more})`];
}

const MAX_SHOWN = 300;

/** Values of the databases that the oracle looks at are invented, so a message may show them. */
function shown(value: string | null): string {
  if (value === null) return 'null';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length})` : text;
}
