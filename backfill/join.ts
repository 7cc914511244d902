import type pg from 'pg';
import { writersGone } from '../connectors/postgres/barrier.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import {
  deriveByJobs,
  finishJoin,
  mayJoin,
  settleEntities,
  tablesOf,
} from '../consumers/table-state.ts';
import type { Mapping } from '../core/entity.ts';
import { splitTableName, type MirrorTable } from '../core/mirror-table.ts';
import type { Lsn } from '../core/version.ts';
import { loadMirror, type LoadContext } from './load.ts';

export type JoinContext = Pick<
  LoadContext,
  'source' | 'target' | 'workers' | 'chunkRows' | 'observer' | 'clock' | 'signal'
> & { readonly mapping: Mapping };

/**
 * Waits until these tables may join the stream: they are published, and whoever wrote to one before
 * it was has ended. Each is then recorded as joining, from the next session on: `ready` is told.
 */
export async function awaitJoin(
  context: JoinContext,
  names: readonly string[],
  ready: () => void,
): Promise<void> {
  const { observer, clock, signal } = context;
  await withBoth(context, 'join', async (source, target) => {
    const join = async (table: string) => {
      const waiting = (pids: readonly string[]) =>
        observer.event(
          'table waits for open transactions',
          { table, pids: pids.join(' ') },
          'warn',
        );
      await writersGone(source, splitTableName(table), { clock, signal, waiting });
      await mayJoin(target, table);
      ready();
    };
    await Promise.all(names.map(join));
  });
}

/**
 * Reads tables while the stream goes on: in chunks, each at a barrier behind the place from which on
 * the stream brings their changes, so that no change is in neither, and the version decides about
 * what is in both. Then their entities are derived anew, by jobs of the stream.
 */
export async function joinTables(
  context: JoinContext,
  tables: readonly MirrorTable[],
  joinsAt: ReadonlyMap<string, Lsn>,
  keepsVanished: (table: string) => boolean,
): Promise<void> {
  const { mapping, observer } = context;
  for (const table of tables) observer.event('reading beside the stream', { table: table.name });
  const finished = (target: pg.Client, table: MirrorTable, readUntil: string) =>
    activate(target, mapping, { name: table.name, joinsAt, readUntil });
  await loadMirror({
    ...context,
    tables,
    consistentPoint: 0n as Lsn,
    beside: { joinsAt, keepsVanished, finished },
  });
  for (const table of tables) observer.event('table joined', { table: table.name });
}

type Joined = {
  readonly name: string;
  readonly joinsAt: ReadonlyMap<string, Lsn>;
  readonly readUntil: string;
};

/** In one transaction: a table that is active has told all who read it. */
async function activate(
  target: pg.Client,
  mapping: Mapping,
  { name, joinsAt, readUntil }: Joined,
): Promise<void> {
  await inTransaction(target, async () => {
    const joins = joinsAt.get(name) ?? (0n as Lsn);
    if (!(await finishJoin(target, name, joins, readUntil))) return;
    const readers = [...tablesOf(mapping)].filter(([, tables]) => tables.has(name));
    const derived = new Set(
      mapping.entities.filter((it) => it.kind === 'derived').map((entity) => entity.name),
    );
    const names = readers.map(([entity]) => entity).filter((entity) => derived.has(entity));
    await deriveByJobs(target, names);
    await settleEntities(target, mapping, new Set([name]));
  });
}
