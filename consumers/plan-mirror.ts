import { catalogName, type Catalog, type CatalogTable } from '../connectors/postgres/catalog.ts';
import { judgeTable, type TableVerdict } from '../connectors/postgres/judge-table.ts';
import { splitTableName, type MirrorTable } from '../core/mirror-table.ts';
import { truncateAction, type TruncatePolicy } from '../core/truncate-policy.ts';
import type { WantedTable } from '../core/usage.ts';
import { createTable, indexSql, mirrorName, remakeColumn, widenColumn } from './mirror-schema.ts';
import { mayHaveStrays } from './strays.ts';
import type { StopCause, TableRecord } from './table-state.ts';

/** What is to be done about one mirror table before its changes can be taken. */
export type TablePlan = {
  readonly name: string;
  readonly kind: 'keep' | 'read anew' | 'stop' | 'remove';
  /** What its changes are read as; null where there is nothing to read. */
  readonly table: MirrorTable | null;
  readonly statements: readonly string[];
  readonly cause: StopCause | null;
  readonly reason: string | null;
  readonly widened: readonly string[];
  readonly remade: readonly string[];
  readonly dropped: readonly string[];
  /** All columns of the source's table. */
  readonly sourceColumns: readonly string[];
};

export type MirrorFacts = {
  readonly wanted: ReadonlyMap<string, WantedTable>;
  readonly source: Catalog;
  /** The twins, by `legacy.name`. */
  readonly twins: Catalog;
  readonly records: ReadonlyMap<string, TableRecord>;
  readonly onTruncate: TruncatePolicy;
  /** Tables that the publication does not send, or not with all that is read. */
  readonly unpublished: ReadonlySet<string>;
  /** A person has started us, and the publication is made right before the stream goes on. */
  readonly isStart: boolean;
};

/** Compares mapping, source and mirror, table by table; decides, and changes nothing. */
export function planMirror(facts: MirrorFacts): readonly TablePlan[] {
  const plans = [...facts.wanted.values()].map((wanted) => planTable(facts, wanted));
  for (const record of facts.records.values()) {
    if (facts.wanted.has(record.name) || record.state === 'removed') continue;
    plans.push({ ...NOTHING, name: record.name, kind: 'remove' });
  }
  return plans;
}

const NOTHING = {
  table: null,
  statements: [],
  cause: null,
  reason: null,
  widened: [],
  remade: [],
  dropped: [],
  sourceColumns: [],
};

function planTable(facts: MirrorFacts, wanted: WantedTable): TablePlan {
  const { name } = wanted;
  const found = facts.source.get(catalogName(splitTableName(name)));
  const twin = facts.twins.get(catalogName({ schema: 'legacy', relation: name }));
  const record = facts.records.get(name);
  const verdict = judgeTable(name, wanted, found, heldOf(twin, record));
  const sourceColumns = found?.columns.map((column) => column.name) ?? [];
  const base = { ...NOTHING, name, sourceColumns };
  if (verdict.kind === 'stopped') {
    return { ...base, kind: 'stop', cause: 'drift', reason: verdict.reason };
  }
  const still = stillStopped(facts, record);
  if (still !== null) return { ...base, kind: 'stop', ...still };
  const { table, widened, remade, dropped, isNew } = verdict;
  const names = (columns: readonly { readonly name: string }[]) => columns.map((it) => it.name);
  return {
    ...base,
    kind: isNew || remade.length > 0 || isGap(facts, record, name) ? 'read anew' : 'keep',
    table,
    statements: [
      ...statementsOf(verdict, twin, wanted.lookups),
      // Which rows have vanished cannot be told by keys that the new twin does not have.
      ...(isNew && record !== undefined ? wanted.rootOf.map(mayHaveStrays) : []),
    ],
    widened: names(widened),
    remade: isNew ? [] : names(remade),
    dropped,
  };
}

function heldOf(twin: CatalogTable | undefined, record: TableRecord | undefined) {
  if (twin === undefined) return null;
  const types = new Map(twin.columns.map((column) => [column.name, column.type]));
  // Of a table that was not read for a while the keys are of use: what is gone becomes a tombstone.
  const kept = record?.state === 'removed' ? new Map<string, string>() : record?.kept;
  return { key: twin.primaryKey, types, kept: kept ?? new Map<string, string>() };
}

/** What has not been mended, though the source has all that is read. */
function stillStopped(
  { onTruncate, unpublished, isStart }: MirrorFacts,
  record: TableRecord | undefined,
): { readonly cause: StopCause; readonly reason: string } | null {
  const name = record?.name ?? '';
  if (record?.state === 'stopped') {
    const { cause, reason } = record;
    const isMended = cause === 'truncate' ? truncateAction(onTruncate, name) !== 'stop' : isStart;
    if (cause !== 'drift' && cause !== null && !isMended) return { cause, reason: reason ?? '' };
  }
  if (isStart || !unpublished.has(name)) return null;
  return { cause: 'unpublished', reason: 'the publication does not send it, or not all columns' };
}

/** Changes were skipped, or not sent. */
function isGap(facts: MirrorFacts, record: TableRecord | undefined, name: string): boolean {
  const state = record?.state ?? 'removed';
  return (
    state === 'stopped' || state === 'removed' || (facts.isStart && facts.unpublished.has(name))
  );
}

function statementsOf(
  { table, widened, remade, isNew }: TableVerdict & { readonly kind: 'usable' },
  twin: CatalogTable | undefined,
  lookups: WantedTable['lookups'],
): string[] {
  const indexes = indexSql(table, lookups);
  if (isNew) {
    const drop = twin === undefined ? [] : [`drop table ${mirrorName(table)}`];
    return [...drop, createTable(table), ...indexes.map(({ sql }) => sql)];
  }
  const has = (column: string) => twin?.columns.some(({ name }) => name === column) === true;
  const hasIndex = (index: string) => twin?.indexes.some(({ name }) => name === index) === true;
  return [
    ...widened.map((column) => widenColumn(table, column)),
    ...remade.map((column) => remakeColumn(table, column, has(column.name))),
    // A column that is made again takes its indexes along.
    ...indexes.filter(({ name }) => remade.length > 0 || !hasIndex(name)).map(({ sql }) => sql),
  ];
}
