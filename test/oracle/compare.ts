import { diffRows } from './diff.ts';
import { EXPECTED_TABLES, expectedColumns, expectedRows } from './expected/rows.ts';
import type { ExpectedTable } from './expected/table.ts';
import { checkJournal } from './journal.ts';
import { JsonJudge } from './json-judge.ts';
import { JOURNAL, differenceLines, disagrees } from './report.ts';
import type { JournalReport, OracleReport, TableReport } from './report.ts';
import { byId } from './rows-by-id.ts';
import { RULE_FUNCTIONS } from './rule-functions.ts';
import { Session, type TextRow } from './session.ts';
import { targetColumns, targetRowsSql } from './target-table.ts';

export type OracleOptions = {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  /** How many keys to keep of each kind of difference, per table and column. */
  readonly maxExamples?: number;
  /**
   * What not to look at, as `table.column` or `observed changes.rule`. The rules `chain` and
   * `present` do not hold where an order is deleted and inserted again with another status.
   */
  readonly except?: readonly string[];
};

type Sessions = { readonly source: Session; readonly target: Session; readonly judge: JsonJudge };
type Limits = { readonly maxExamples: number; readonly except: ReadonlySet<string> };

/**
 * Computes every mapped target row from the source, by SQL of its own, and compares it with the
 * target: value by value, as text. Each side is read in one snapshot, so the stream has to be quiet
 * and caught up. The target's server has to be PostgreSQL 16 or newer.
 */
export async function compareWithOracle(options: OracleOptions): Promise<OracleReport> {
  await using source = await Session.open(options.sourceUrl, RULE_FUNCTIONS);
  await using target = await Session.open(options.targetUrl, RULE_FUNCTIONS);
  await using judging = await Session.open(options.targetUrl);
  await Promise.all([source.freeze(), target.freeze()]);
  const sessions = { source, target, judge: new JsonJudge(judging) };
  const limits = { maxExamples: options.maxExamples ?? 5, except: new Set(options.except) };

  const tables: TableReport[] = [];
  for (const table of EXPECTED_TABLES) tables.push(await compareTable(table, sessions, limits));
  const journal = await compareJournal(target, limits);
  const agrees = journal.broken.size === 0 && !tables.some(disagrees);
  return { tables, journal, agrees };
}

/** Throws an error that lists the differences, values included: only for invented data. */
export async function assertAgrees(options: OracleOptions): Promise<void> {
  const report = await compareWithOracle(options);
  if (report.agrees) return;
  throw new Error(`the target is not map(source)\n${differenceLines(report).join('\n')}`);
}

async function compareTable(
  expected: ExpectedTable,
  sessions: Sessions,
  { maxExamples, except }: Limits,
): Promise<TableReport> {
  const existing = await targetColumns(sessions.target, expected.table);
  const known = await expectedColumns(expected, sessions.source);
  const looked = existing.filter(({ name }) => !except.has(`${expected.table}.${name}`));
  const checked = looked.filter(({ name }) => known.has(name));
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
    unchecked: looked
      .map(({ name }) => name)
      .filter((name) => !known.has(name) && !expected.targetOwned.includes(name)),
    ...diffRows({ expected: wanted, found, isLive, columns: names, maxExamples }),
  };
}

async function compareJournal(
  target: Session,
  { maxExamples, except }: Limits,
): Promise<JournalReport> {
  const { rows, broken } = await checkJournal(target, maxExamples);
  const counted = [...broken].filter(([rule]) => !except.has(`${JOURNAL}.${rule}`));
  return { rows, broken: new Map(counted) };
}

/** A seed whose course is gone again is soft-deleted like any row; one that had none stays. */
function wasAdopted(row: TextRow | undefined, { seeds }: ExpectedTable): boolean {
  if (row === undefined || seeds === undefined) return false;
  return !isLive(row) && row[seeds.adoptedBy] !== null;
}

function isLive(row: TextRow): boolean {
  return row['is_live'] === 't';
}
