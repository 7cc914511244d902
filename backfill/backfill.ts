import type pg from 'pg';
import {
  openClient,
  withClient,
  statementError,
  textRows,
  type Database,
} from '../connectors/postgres/connection.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import type { Applier } from '../consumers/apply.ts';
import { Deriver } from '../consumers/derive.ts';
import { inactiveStates } from '../consumers/entity-state.ts';
import { addJob, openJobs } from '../consumers/jobs.ts';
import { closeGap } from '../consumers/journal-gap.ts';
import type { Model } from '../consumers/model.ts';
import { portionTime } from '../consumers/portion-time.ts';
import { targetName } from '../consumers/write-rows.ts';
import type { DerivedEntity } from '../core/entity.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { uuidRange } from '../core/uuid.ts';
import type { Lsn } from '../core/version.ts';
import { bulkDerive, type DeriveContext } from './bulk-derive.ts';
import { forgetChunks, openChunks } from './chunks.ts';
import { loadMirror } from './load.ts';
import { restore, setAside } from './set-aside.ts';
import { settleReferences } from './settle-references.ts';

export type BackfillContext = {
  readonly source: Database;
  readonly target: Database;
  readonly model: Model;
  readonly consistentPoint: Lsn;
  readonly workers: number;
  readonly chunkRows: number;
  readonly portionRows: number;
  /** Share of an entity's roots in quarantine above which it stops. */
  readonly stopShare: number;
  /** Runs jobs in the ordinary way; the backfill closes it. */
  readonly applier: () => Promise<{ applier: Applier; close: () => Promise<void> }>;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** What is still to do; empty lists: the backfill is complete. */
export type Remaining = {
  readonly tables: readonly string[];
  readonly entities: readonly string[];
};

export async function remaining(client: pg.ClientBase, model: Model): Promise<Remaining> {
  const loaded = await textRows(
    client,
    // What joins beside the stream is not waited for.
    `select table_name from tandem.mirror where loaded_at is not null or state <> 'active'`,
  );
  const derived = await textRows(
    client,
    'select name from tandem.entity where derived_at is not null',
  );
  const isLoaded = new Set(loaded.map((row) => row[0]));
  const isDerived = new Set(derived.map((row) => row[0]));
  return {
    tables: [...model.mirror.keys()].filter((name) => !isLoaded.has(name)),
    entities: model.entities.map((entity) => entity.name).filter((name) => !isDerived.has(name)),
  };
}

/**
 * Loads the mirror and derives all entities; goes on where an earlier one stopped.
 *
 * The stream does not run meanwhile: it starts at the slot's consistent point afterwards.
 *
 * @throws TandemError naming the side; what `signal` was aborted with
 */
export async function backfill(context: BackfillContext): Promise<void> {
  try {
    await loadAndDerive(context);
  } catch (error) {
    // What the steps did not name themselves is a statement of the target, or its connection.
    const isStopped = context.signal.aborted && error === context.signal.reason;
    throw isStopped ? error : statementError('target', error, 'backfill');
  }
}

async function loadAndDerive(context: BackfillContext): Promise<void> {
  const { model, observer, target } = context;
  const start = Date.now();
  const client = await openClient(target, 'backfill');
  try {
    const open = new Set((await remaining(client, model)).tables);
    const tables = [...model.mirror.values()].filter((table) => open.has(table.name));
    await loadMirror({ ...context, tables });
    const journals = model.journals.map((journal) => journal.name);
    await closeGap(client, journals);
    observer.event('mirror loaded', { tables: tables.length, ms: Date.now() - start });
    const { entities } = await remaining(client, model);
    const wanted = model.entities.filter((entity) => entities.includes(entity.name));
    await deriveAll(context, client, wanted);
    await runJobs(context);
    // Only now is every reference that is left one that holds.
    await restore(target, ['foreign_key'], null, observer);
    for (const entity of wanted) await markDerived(client, entity);
  } finally {
    await client.end();
  }
  observer.event('backfill complete', { ms: Date.now() - start });
}

/**
 * In bulk where the tables are empty, then the others as jobs under the stream's own locks; parents
 * first in both. Bulk before jobs: until references are settled there are rows that will be taken out
 * again, and no job may see those.
 */
async function deriveAll(
  context: BackfillContext,
  client: pg.ClientBase,
  entities: readonly DerivedEntity[],
): Promise<void> {
  const { model, target, observer } = context;
  // One that is paused or stopped is derived when it resumes; it may have stopped half way.
  const inactive = await inactiveStates(client);
  const active = entities.filter((entity) => !inactive.has(entity.name));
  const bulk: DerivedEntity[] = [];
  for (const entity of active) if (await isFresh(client, entity)) bulk.push(entity);
  const begun: DerivedEntity[] = [];
  for (const entity of entities) if (await isUnderWay(client, entity)) begun.push(entity);
  await deriveInBulk(context, client, bulk);
  await restore(target, ['index'], null, observer);
  await settleReferences(client, model, [...new Set([...bulk, ...begun])], observer);
  for (const entity of active) {
    if (!bulk.includes(entity)) await deriveByJob(context, client, entity);
  }
  await wakeWaiting(context);
}

async function deriveInBulk(
  context: BackfillContext,
  client: pg.ClientBase,
  bulk: readonly DerivedEntity[],
): Promise<void> {
  const derive: DeriveContext = { ...context, deriver: new Deriver(context.model, Infinity) };
  const rebuilding: Promise<void>[] = [];
  const open = new Map<string, number>();
  for (const { targets } of bulk) {
    for (const table of targets) open.set(table, (open.get(table) ?? 0) + 1);
  }
  try {
    for (const entity of bulk) {
      await setAside(client, entity.targets);
      const roots = await bulkDerive(derive, entity);
      if (roots !== null) context.observer.event('derived', { entity: entity.name, roots });
      for (const table of entity.targets) {
        const left = (open.get(table) ?? 1) - 1;
        open.set(table, left);
        if (left > 0) continue;
        // Beside the next entity: mapping keeps one core busy, an index build another.
        const rebuilt = rebuild(context, table);
        rebuilt.catch(() => undefined);
        rebuilding.push(rebuilt);
      }
    }
  } finally {
    await Promise.allSettled(rebuilding);
  }
  await Promise.all(rebuilding);
}

/** A bulk derive tells nobody of its rows: whoever has waited for one of them is derived again. */
async function wakeWaiting({ applier }: BackfillContext): Promise<void> {
  const { applier: waker, close } = await applier();
  try {
    await waker.wakeWaiting();
  } finally {
    await close();
  }
}

async function rebuild({ target, observer }: BackfillContext, table: string): Promise<void> {
  await restore(target, ['index'], table, observer);
  await withClient(target, 'analyze', (client) => client.query(`analyze ${targetName(table)}`));
}

async function deriveByJob(
  context: BackfillContext,
  client: pg.ClientBase,
  entity: DerivedEntity,
): Promise<void> {
  const open = await textRows(
    client,
    'select id from tandem.job where entity = $1 and usage is null and values is null',
    [entity.name],
  );
  if (open.length === 0) {
    await addJob(client, { entity: entity.name, usage: null, values: null, reason: 'backfill' });
    context.observer.event('deriving again', { entity: entity.name });
  }
  await runJobs(context);
}

async function runJobs({
  applier,
  observer,
  target,
  clock,
  signal,
}: BackfillContext): Promise<void> {
  const { applier: jobs, close } = await applier();
  const client = await openClient(target, 'jobs');
  try {
    const total = await openJobs(client);
    for (;;) {
      signal.throwIfAborted();
      if (!(await jobs.runJob(portionTime(clock)))) break;
      const left = await openJobs(client);
      observer.progress('jobs', 'open', Math.max(0, total - left), total);
    }
  } finally {
    await Promise.allSettled([close(), client.end()]);
  }
}

async function isUnderWay(client: pg.ClientBase, entity: DerivedEntity): Promise<boolean> {
  const { planned } = await openChunks(client, 'derive', entity.name);
  return planned;
}

/** Whether the bulk path may be taken: its tables are empty of the entity's rows, or it was on it. */
async function isFresh(client: pg.ClientBase, entity: DerivedEntity): Promise<boolean> {
  if (await isUnderWay(client, entity)) return true;
  for (const table of entity.targets) {
    if (await hasRows(client, table, entity)) return false;
  }
  if (!entity.fanOut) return true;
  const [row] = await textRows(
    client,
    'select exists (select from tandem.yielded where entity = $1)',
    [entity.name],
  );
  return row?.[0] !== 't';
}

async function hasRows(
  client: pg.ClientBase,
  table: string,
  entity: DerivedEntity,
): Promise<boolean> {
  const { first, last } = uuidRange(entity.identity);
  const [row] = await textRows(
    client,
    `select exists (select from ${targetName(table)} where id between $1 and $2)`,
    [first, last],
  );
  return row?.[0] === 't';
}

/** One that stopped meanwhile stays stopped. */
async function markDerived(client: pg.ClientBase, entity: DerivedEntity): Promise<void> {
  // First: chunks that outlived the mark would make the next backfill believe that all is done.
  await forgetChunks(client, 'derive', entity.name);
  await client.query(
    `insert into tandem.entity (name, derived_at) values ($1, now())
     on conflict (name) do update set derived_at = now()`,
    [entity.name],
  );
}

/** Makes entities be derived again by the next backfill. */
export async function forgetDerived(
  client: pg.ClientBase,
  entities: readonly string[],
): Promise<void> {
  await client.query(
    `insert into tandem.entity (name) select unnest($1::text[])
     on conflict (name) do update set derived_at = null, state = 'active', reason = null`,
    [arrayLiteral(entities)],
  );
}
