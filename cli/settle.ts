import type pg from 'pg';
import { readCatalog } from '../connectors/postgres/catalog.ts';
import { unpublishedTables } from '../connectors/postgres/publication.ts';
import { notedWalEnd } from '../connectors/postgres/wal-position.ts';
import { plansFor, settleMirror, type SettleFacts } from '../consumers/settle-mirror.ts';
import {
  joinAt,
  readTableRecords,
  readTablesDigest,
  settleEntities,
  tablesOf,
  type TableRecord,
} from '../consumers/table-state.ts';
import type { Mapping } from '../core/entity.ts';
import { splitTableName, type MirrorTable } from '../core/mirror-table.ts';
import type { Observer } from '../core/ports.ts';
import { readUsages } from '../core/usage.ts';
import type { Config } from './config.ts';

/** What a session works with. */
export type Settled = {
  /** Their changes are taken. */
  readonly tables: readonly MirrorTable[];
  /** Those of them that are being read beside the stream. */
  readonly joining: readonly MirrorTable[];
  /** Not taken yet: somebody who wrote before they were published has not ended. */
  readonly waiting: readonly string[];
  /** By entity: the table because of which it is not derived. */
  readonly blocked: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<string, TableRecord>;
  /** Changes whenever somebody settles the tables anew. */
  readonly digest: string;
};

type SettleContext = {
  readonly source: pg.Client;
  readonly target: pg.Client;
  readonly config: Config;
  readonly mapping: Mapping;
  readonly observer: Observer;
  readonly mode: 'settle' | 'look';
};

/** Compares mapping, source and mirror; with `settle`, makes them fit and records what does not. */
export async function settleTables(context: SettleContext): Promise<Settled> {
  const { source, target, config, mapping, observer, mode } = context;
  const facts = await sourceFacts(source, config, mapping, false);
  const plans =
    mode === 'settle'
      ? await settleMirror(target, facts, true, observer)
      : await plansFor(target, facts, await readTableRecords(target));
  if (mode === 'settle') await join(source, target);
  // Before the records: what somebody changes behind this is noticed by the first batch.
  const digest = await readTablesDigest(target);
  const records = await readTableRecords(target);
  const states = new Map([...records].map(([name, { state }]) => [name, state]));
  const isPending = mode === 'look';
  const usable = plans.flatMap(({ kind, table, statements }) =>
    table === null || (isPending && (kind !== 'keep' || statements.length > 0)) ? [] : [table],
  );
  const joining = usable.filter(
    ({ name }) => states.get(name) === 'joining' && records.get(name)?.joinsAt != null,
  );
  const tables = usable.filter(({ name }) => states.get(name) === 'active');
  const waiting = usable.filter(({ name }) => states.get(name) === 'waiting');
  return {
    tables: [...tables, ...joining],
    joining,
    waiting: waiting.map((table) => table.name),
    blocked: mode === 'settle' ? await settleEntities(target, mapping) : blockedBy(mapping, tables),
    records,
    digest,
  };
}

/**
 * Where the source stands now, which the stream has not reached: the tables that may join take their
 * changes from there on.
 */
async function join(source: pg.Client, target: pg.Client): Promise<void> {
  const records = [...(await readTableRecords(target)).values()];
  if (!records.some(({ state, joinsAt }) => state === 'joining' && joinsAt === null)) return;
  await joinAt(target, await notedWalEnd(source));
}

function blockedBy(mapping: Mapping, active: readonly MirrorTable[]): ReadonlyMap<string, string> {
  const names = new Set(active.map((table) => table.name));
  return new Map(
    [...tablesOf(mapping)].flatMap(([entity, tables]) => {
      const lacking = [...tables].find((table) => !names.has(table));
      return lacking === undefined ? [] : [[entity, lacking] as const];
    }),
  );
}

/** What the source has of the mapped tables, as the mirror is to be settled by it. */
export async function sourceFacts(
  source: pg.ClientBase,
  { publication, onTruncate }: Config,
  mapping: Mapping,
  isStart: boolean,
): Promise<SettleFacts> {
  const { tables: wanted } = readUsages(mapping);
  const tables = [...wanted.values()].map(({ name, columns }) => ({
    ...splitTableName(name),
    name,
    columns,
  }));
  return {
    wanted,
    source: await readCatalog(source, 'source', tables),
    onTruncate,
    unpublished: await unpublishedTables(source, { name: publication, tables }),
    isStart,
  };
}
