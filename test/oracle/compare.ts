import { differ, diffRows, type RowDifferences } from './diff.ts';
import { EXPECTED_TABLES, expectedColumns, expectedRows } from './expected/rows.ts';
import type { ExpectedTable } from './expected/table.ts';
import { checkJournal, type JournalReport } from './journal.ts';
import { JsonJudge } from './json-judge.ts';
import { byId } from './rows-by-id.ts';
import { RULE_FUNCTIONS } from './rule-functions.ts';
import { Session, type TextRow } from './session.ts';
import { targetColumns, targetRowsSql } from './target-table.ts';

export type OracleOptions = {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  /** How many keys to keep of each kind of difference, per table and column. */
  readonly maxExamples?: number;
};

export type TableReport = RowDifferences & {
  readonly table: string;
  /** Rows that have to be live. */
  readonly expected: number;
  /** Rows that are. */
  readonly live: number;
  /** Columns of the target that nobody said anything about. */
  readonly unchecked: readonly string[];
};

export type OracleReport = {
  readonly tables: readonly TableReport[];
  readonly journal: JournalReport;
  readonly agrees: boolean;
};

type Sessions = { readonly source: Session; readonly target: Session; readonly judge: JsonJudge };

/**
 * Computes every mapped target row from the source, by SQL of its own, and compares it with the
 * target: value by value, as text. Both sides are read in one snapshot each, so the stream has to
 * be quiet and caught up.
 */
export async function compareWithOracle(options: OracleOptions): Promise<OracleReport> {
  const maxExamples = options.maxExamples ?? 5;
  await using source = await Session.open(options.sourceUrl, RULE_FUNCTIONS);
  await using target = await Session.open(options.targetUrl, RULE_FUNCTIONS);
  await using judging = await Session.open(options.targetUrl);
  await Promise.all([source.freeze(), target.freeze()]);
  const sessions = { source, target, judge: new JsonJudge(judging) };

  const tables: TableReport[] = [];
  for (const table of EXPECTED_TABLES) {
    tables.push(await compareTable(table, sessions, maxExamples));
  }
  const journal = await checkJournal(target, maxExamples);
  const agrees = journal.broken.size === 0 && !tables.some(disagrees);
  return { tables, journal, agrees };
}

export function disagrees(report: TableReport): boolean {
  return differ(report) || report.unchecked.length > 0;
}

async function compareTable(
  expected: ExpectedTable,
  sessions: Sessions,
  maxExamples: number,
): Promise<TableReport> {
  const existing = await targetColumns(sessions.target, expected.table);
  const known = await expectedColumns(expected, sessions.source);
  const checked = existing.filter(({ name }) => known.has(name));
  const names = checked.map(({ name }) => name);

  const { yielded, seeds } = await expectedRows(expected, checked, sessions);
  const sql = targetRowsSql(expected.table, names, expected.part);
  const found = byId(await sessions.target.rows(sql));
  const standing = [...seeds].filter(([id]) => !wasAdopted(found.get(id), expected));
  const wanted = new Map([...yielded, ...standing]);
  return {
    table: expected.table,
    expected: wanted.size,
    live: [...found.values()].filter(isLive).length,
    unchecked: existing
      .map(({ name }) => name)
      .filter((name) => !known.has(name) && !expected.targetOwned.includes(name)),
    ...diffRows({ expected: wanted, found, isLive, columns: names, maxExamples }),
  };
}

/** A seed whose course is gone again is soft-deleted like any row; one that had none stays. */
function wasAdopted(row: TextRow | undefined, { seeds }: ExpectedTable): boolean {
  if (row === undefined || seeds === undefined) return false;
  return !isLive(row) && row[seeds.adoptedBy] !== null;
}

function isLive(row: TextRow): boolean {
  return row['is_live'] === 't';
}
