import type pg from 'pg';
import { readCatalog } from '../connectors/postgres/catalog.ts';
import { execute, statementError } from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import type { Observer } from '../core/ports.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { keptColumns } from './mirror-schema.ts';
import { planMirror, type MirrorFacts, type TablePlan } from './plan-mirror.ts';
import { readAnew, readTableRecords, stopTable, type TableRecord } from './table-state.ts';

/** As `planMirror` takes them, but for what is read from the target here. */
export type SettleFacts = Omit<MirrorFacts, 'twins' | 'records'>;

/** What would be done. Works before there are control tables. */
export async function plansFor(
  target: pg.ClientBase,
  facts: SettleFacts,
  records: ReadonlyMap<string, TableRecord>,
): Promise<readonly TablePlan[]> {
  const names = [...facts.wanted.keys()].map((relation) => ({ schema: 'legacy', relation }));
  const twins = await readCatalog(target, 'target', names);
  return planMirror({ ...facts, twins, records });
}

/**
 * Makes the mirror fit, a transaction a table, so that a kill leaves each done or not begun.
 *
 * @param isStreaming the slot is there: what is read anew joins the stream beside it
 */
export async function settleMirror(
  target: pg.ClientBase,
  facts: SettleFacts,
  isStreaming: boolean,
  observer: Observer,
): Promise<readonly TablePlan[]> {
  const records = await readTableRecords(target);
  const plans = await plansFor(target, facts, records);
  for (const plan of plans) {
    const record = records.get(plan.name);
    if (!isDone(plan, record)) await settleTable(target, { plan, record, isStreaming }, observer);
  }
  return plans;
}

export async function settleTable(
  target: pg.ClientBase,
  step: {
    readonly plan: TablePlan;
    readonly record: TableRecord | undefined;
    readonly isStreaming: boolean;
  },
  observer: Observer,
): Promise<void> {
  const { plan, record, isStreaming } = step;
  announce(plan, record, observer);
  const start = Date.now();
  try {
    await inTransaction(target, async () => {
      for (const statement of plan.statements) await execute(target, statement);
      await recordPlan(target, plan, record, isStreaming);
    });
  } catch (error) {
    throw statementError('target', error, `settle the mirror of ${plan.name}`);
  }
  if (plan.widened.length === 0) return;
  const facts = { table: plan.name, columns: plan.widened.join(', '), ms: Date.now() - start };
  observer.event('columns widened', facts);
}

/** Nothing is left to do, or to record. */
export function isDone(plan: TablePlan, record: TableRecord | undefined): boolean {
  const isSeen = plan.sourceColumns.join() === record?.sourceColumns?.join();
  if (plan.kind === 'stop') {
    const { state, cause, reason } = record ?? {};
    return state === 'stopped' && cause === plan.cause && reason === plan.reason;
  }
  const { table, statements } = plan;
  return plan.kind === 'keep' && statements.length === 0 && isSeen && isSame(table, record);
}

async function recordPlan(
  target: pg.ClientBase,
  plan: TablePlan,
  record: TableRecord | undefined,
  isStreaming: boolean,
): Promise<void> {
  const { name, table, kind } = plan;
  if (kind === 'stop') await stopTable(target, name, plan.cause ?? 'drift', plan.reason ?? '');
  if (kind === 'remove') {
    await execute(
      target,
      `update tandem.mirror set state = 'removed', columns = '[]', loaded_at = null, since = now()
       where table_name = $1`,
      [name],
    );
  }
  if (table !== null && !isSame(table, record)) {
    await execute(
      target,
      `insert into tandem.mirror (table_name, columns) values ($1, ${keptColumns(table)})
       on conflict (table_name) do update set columns = excluded.columns`,
      [name],
    );
  }
  if (kind === 'read anew') await readAnew(target, name, isStreaming ? 'waiting' : 'active');
  if (plan.sourceColumns.join() === record?.sourceColumns?.join()) return;
  if (plan.sourceColumns.length > 0) {
    const columns = arrayLiteral(plan.sourceColumns);
    const sql = 'update tandem.mirror set source_columns = $2::text[] where table_name = $1';
    await execute(target, sql, [name, columns]);
  }
}

/** Only columns that nobody reads came or went. */
export function isHarmless({ kind, statements, table }: TablePlan, record: TableRecord): boolean {
  return kind === 'keep' && statements.length === 0 && isSame(table, record);
}

function isSame(table: MirrorTable | null, record: TableRecord | undefined): boolean {
  return (
    table !== null &&
    record?.kept.size === table.columns.length &&
    table.columns.every((column) => record.kept.get(column.name) === column.sourceType)
  );
}

/** One line a decision. */
function announce(plan: TablePlan, record: TableRecord | undefined, observer: Observer): void {
  const { name: table, kind, reason } = plan;
  const list = (names: readonly string[]) => names.join(', ');
  if (kind === 'remove') observer.event('table removed from the mapping', { table });
  if (kind === 'stop' && (record?.state !== 'stopped' || record.reason !== reason)) {
    observer.event('table stopped', { table, reason, hint: NEXT }, 'error');
  }
  if (record === undefined) return;
  if (kind === 'read anew') {
    const columns = list(plan.remade);
    observer.event('table to be read anew', { table, columns, was: record.state }, 'warn');
  }
  if (plan.widened.length > 0) {
    // The server rewrites the table where the forms differ, and holds it meanwhile.
    observer.event('widening columns', { table, columns: list(plan.widened) }, 'warn');
  }
  if (plan.dropped.length > 0) {
    observer.event('columns not read any more', { table, columns: list(plan.dropped) });
  }
  const before = record.sourceColumns;
  if (before === null || plan.sourceColumns.length === 0) return;
  const added = plan.sourceColumns.filter((column) => !before.includes(column));
  const gone = before.filter((column) => !plan.sourceColumns.includes(column));
  if (added.length + gone.length === 0) return;
  observer.event('source columns changed', { table, added: list(added), gone: list(gone) });
}

const NEXT =
  'Put the column back, or adapt the mapping and start `tandem run` again; the entities that read it are stopped, the rest goes on.';
