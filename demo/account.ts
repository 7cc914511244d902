import type pg from 'pg';
import { textRows } from '../connectors/postgres/connection.ts';
import { qualified } from '../connectors/postgres/sql.ts';
import { ACCOUNT_MEANING, accountLines } from '../cli/status-lines.ts';
import { formatCount } from '../cli/units.ts';
import { splitTableName } from '../core/mirror-table.ts';
import type { Mapping } from '../core/entity.ts';
import { account, type EntityAccount } from '../monitoring/account.ts';
import { StepFailed, type Stage } from './stage.ts';

/** Prints what became of every source row. Throws `StepFailed` unless each is accounted for. */
export async function printAccount(
  { screen, interruption }: Stage,
  { source, target }: { readonly source: pg.Client; readonly target: pg.Client },
  mapping: Mapping,
): Promise<void> {
  const accounts = await interruption.guard(account(target, mapping));
  for (const [i, line] of accountLines(accounts, screen.columns - 3).entries()) {
    screen.line(i === 0 ? screen.style('bold', line) : line);
  }
  screen.line();
  const [sum = '', ...meanings] = ACCOUNT_MEANING;
  screen.text(sum);
  screen.text(meanings.join(' '));
  const problems = [
    ...accounts.filter(({ difference }) => difference !== 0).map(unaccounted),
    ...(await interruption.guard(miscounted(source, accounts))),
  ];
  if (problems.length > 0) throw new StepFailed('the account does not add up', problems);
  const rows = accounts.reduce((sum, { sourceRows }) => sum + sourceRows, 0);
  screen.done(`${formatCount(rows)} source rows add up; the source counts the same`);
}

const unaccounted = ({ entity, difference }: EntityAccount) =>
  `${entity}: ${formatCount(difference)} source rows are nowhere`;

/** The account counts the copies of the source's rows; here the source itself is asked. */
async function miscounted(
  source: pg.Client,
  accounts: readonly EntityAccount[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const { entity, source: table, sourceRows } of accounts) {
    const { schema, relation } = splitTableName(table);
    const [row] = await textRows(source, `select count(*) from ${qualified(schema, relation)}`);
    const counted = Number(row?.[0]);
    if (counted !== sourceRows) {
      problems.push(
        `${entity}: ${table} has ${formatCount(counted)} rows, its copy ${formatCount(sourceRows)}`,
      );
    }
  }
  return problems;
}
