import { EXPECTED_TABLES, expectedRows } from './expected/rows.ts';
import { JsonJudge } from './json-judge.ts';
import { RULE_FUNCTIONS } from './rule-functions.ts';
import { ident, Session, type TextRow } from './session.ts';
import { targetColumns, type TargetColumn } from './target-table.ts';

/** Replaces what a migrated target holds by what the oracle expects: a target without a fault. */
export async function fillTarget(sourceUrl: string, targetUrl: string): Promise<void> {
  await using source = await Session.open(sourceUrl, RULE_FUNCTIONS);
  await using target = await Session.open(targetUrl);
  await using judging = await Session.open(targetUrl);
  const sessions = { source, judge: new JsonJudge(judging) };

  await target.rows('begin');
  const names = EXPECTED_TABLES.map(({ table }) => `public.${ident(table)}`);
  await target.rows(`truncate ${names.join(', ')} cascade`);
  for (const expected of EXPECTED_TABLES) {
    const existing = await targetColumns(target, expected.table);
    const written = existing.filter(({ name }) => !expected.targetOwned.includes(name));
    const { yielded, seeds } = await expectedRows(expected, written, sessions);
    const rows = [...yielded.values(), ...seeds.values()];
    await insert(target, expected.table, [{ name: 'id', type: 'uuid' }, ...written], rows);
  }
  await target.rows('commit');
}

async function insert(
  target: Session,
  table: string,
  columns: readonly TargetColumn[],
  rows: readonly TextRow[],
): Promise<void> {
  const names = columns.map(({ name }) => ident(name)).join(', ');
  const values = columns.map(({ name, type }) => `${ident(name)}::${type}`).join(', ');
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`).join(', ');
  await target.rows(
    `insert into public.${ident(table)} (${names})
     select ${values} from unnest(${arrays}) as given (${names})`,
    columns.map(({ name }) => rows.map((row) => row[name] ?? null)),
  );
}
