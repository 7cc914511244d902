import type { JsonJudge } from '../json-judge.ts';
import { byId } from '../rows-by-id.ts';
import type { Session, TextRow } from '../session.ts';
import type { TargetColumn } from '../target-table.ts';
import { LOOKUPS } from './lookups.ts';
import { MESSAGES } from './messages.ts';
import { MONEY } from './money.ts';
import { ORDERS } from './orders.ts';
import { PEOPLE } from './people.ts';
import type { ExpectedTable } from './table.ts';
import { WORKFLOW } from './workflow.ts';

/** Every table that the oracle knows, parents first as far as rows of one batch need it. */
export const EXPECTED_TABLES: readonly ExpectedTable[] = [
  ...[...LOOKUPS, ...PEOPLE, ...ORDERS, ...WORKFLOW, ...MESSAGES, ...MONEY],
];

type ExpectedRows = {
  /** By id: what the source yields now. */
  readonly yielded: ReadonlyMap<string, TextRow>;
  /** By id: seeds that no row of the source has adopted now. */
  readonly seeds: ReadonlyMap<string, TextRow>;
};

/** Computes the rows of one table from the source; JSON as the judge's server prints it. */
export async function expectedRows(
  expected: ExpectedTable,
  columns: readonly TargetColumn[],
  { source, judge }: { readonly source: Session; readonly judge: JsonJudge },
): Promise<ExpectedRows> {
  const rows = await source.rows(expected.sql);
  await expected.completed?.by(rows, source);
  const seedRows = expected.seeds === undefined ? [] : await source.rows(expected.seeds.sql);
  for (const { name } of columns.filter(({ type }) => type === 'jsonb')) {
    const isLegacy = expected.legacyJson?.includes(name) ?? false;
    await replaceValues([...rows, ...seedRows], name, (texts) =>
      isLegacy ? judge.legacyJson(texts) : judge.printed(texts),
    );
  }
  const yielded = byId(rows);
  const seeds = byId(seedRows.filter((row) => !yielded.has(row['id'] ?? '')));
  return { yielded, seeds };
}

/** Which columns the rows of a table carry, whether there are rows or not. */
export async function expectedColumns(
  expected: ExpectedTable,
  source: Session,
): Promise<ReadonlySet<string>> {
  const names = await source.columnNames(expected.sql);
  return new Set([...names, ...(expected.completed?.columns ?? [])]);
}

async function replaceValues(
  rows: readonly TextRow[],
  column: string,
  judge: (texts: ReadonlySet<string>) => Promise<ReadonlyMap<string, string | null>>,
): Promise<void> {
  const texts = new Set(rows.flatMap((row) => row[column] ?? []));
  const answers = await judge(texts);
  for (const row of rows) row[column] = answers.get(row[column] ?? '') ?? null;
}
