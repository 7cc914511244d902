import { disagrees, type OracleReport, type TableReport } from './compare.ts';
import type { ColumnDifference, RowDifferences, Sample } from './diff.ts';
import type { JournalReport } from './journal.ts';

/** One line per table, and one per kind of difference below those that have any. */
export function reportLines({ tables, journal }: OracleReport): string[] {
  const width = Math.max(...tables.map(({ table }) => table.length), 'observed changes'.length);
  return [
    ...tables.flatMap((it) => [
      `${it.table.padEnd(width)}  expected ${it.expected}  live ${it.live}  ${verdict(it)}`,
      ...tableDifferences(it).map((line) => `    ${line}`),
    ]),
    `${'observed changes'.padEnd(width)}  rows ${journal.rows}`,
    ...journalDifferences(journal).map((line) => `    ${line}`),
  ];
}

/** Every difference as a line that names table, key, column and both values. */
export function differenceLines({ tables, journal }: OracleReport): string[] {
  return [
    ...tables.flatMap((it) => tableDifferences(it).map((line) => `${it.table}: ${line}`)),
    ...journalDifferences(journal).map((line) => `observed changes: ${line}`),
  ];
}

function verdict(report: TableReport): string {
  return disagrees(report) ? 'DIFFERS' : 'agrees';
}

function tableDifferences(report: TableReport): string[] {
  const unchecked = report.unchecked.map((name) => `column ${name} is not checked`);
  return [...unchecked, ...rowDifferenceLines(report)];
}

export function rowDifferenceLines({ missing, extra, columns }: RowDifferences): string[] {
  return [
    ...keys('missing', missing),
    ...keys('live without reason', extra),
    ...[...columns].flatMap(([column, sample]) => columnLines(column, sample)),
  ];
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
  return [...broken].flatMap(([rule, sample]) => keys(`rule "${rule}" broken`, sample));
}

function keys(what: string, { count, examples }: Sample<string>): string[] {
  if (count === 0) return [];
  const more = count > examples.length ? ', …' : '';
  return [`${what}: ${count} (${examples.join(', ')}${more})`];
}

const MAX_SHOWN = 300;

/** Values of these databases are invented, so a message may show them. */
function shown(value: string | null): string {
  if (value === null) return 'null';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length})` : text;
}
