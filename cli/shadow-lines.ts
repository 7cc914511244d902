import { ident, literal, qualified } from '../connectors/postgres/sql.ts';
import { targetName } from '../consumers/write-rows.ts';
import type { TableChanges } from '../proof/changes/foreseen.ts';
import type { Filled } from '../proof/shadow/shadow-run.ts';
import { CHANGES } from '../proof/shadow/shadow-schema.ts';
import { aligned } from './aligned.ts';
import { foreseenLines } from './foreseen-lines.ts';
import { formatCount } from './units.ts';

/** What `--into-shadow` shows for a person, and where to look further. */
export function shadowLines(schema: string, filled: Filled): string[] {
  const { entities, journals, leftOut } = filled;
  const lines = foreseenLines(entities);
  for (const [journal, entries] of Object.entries(journals)) {
    lines.push(`${journal}: ${formatCount(entries)} entries that wait would be appended`);
  }
  if (leftOut > 0) {
    lines.push(`${formatCount(leftOut)} more roots wait for new rows, and were not looked at`);
  }
  const changes = sumByTable(entities.flatMap(({ tables }) => tables));
  lines.push('', ...tableLines(filled, changes), '');
  const [first] = filled.tables.filter(({ table }) => changes.has(table));
  if (first === undefined) lines.push('no row differs from the live tables');
  else lines.push(...hints(schema, first));
  lines.push(`gone with:    drop schema ${ident(schema)} cascade`);
  return lines;
}

type Counts = { inserted: number; changed: number; removed: number };

function sumByTable(all: readonly TableChanges[]): ReadonlyMap<string, Counts> {
  const sums = new Map<string, Counts>();
  for (const { table, inserted, changed, removed } of all) {
    const sum = sums.get(table) ?? { inserted: 0, changed: 0, removed: 0 };
    sums.set(table, {
      inserted: sum.inserted + inserted,
      changed: sum.changed + changed,
      removed: sum.removed + removed,
    });
  }
  return sums;
}

const NONE: Counts = { inserted: 0, changed: 0, removed: 0 };

function tableLines({ tables }: Filled, changes: ReadonlyMap<string, Counts>): string[] {
  const rows = tables.map(({ table, rows: count }) => {
    const { inserted, changed, removed } = changes.get(table) ?? NONE;
    return [table, ...[count, inserted, changed, removed].map(formatCount)];
  });
  const head = ['table', 'in shadow', 'inserted', 'changed', 'removed'];
  return aligned([head, ...rows], new Set([1, 2, 3, 4]));
}

function hints(schema: string, { table, copy }: Filled['tables'][number]): string[] {
  const changes = qualified(schema, CHANGES);
  return [
    `what differs: select * from ${changes}`,
    `side by side: select c.change, c.root_key, c.columns, to_jsonb(s) as shadow, to_jsonb(l) as live` +
      ` from ${changes} c left join ${copy} s using (id) left join ${targetName(table)} l using (id)` +
      ` where c.target_table = ${literal(table)}`,
  ];
}
