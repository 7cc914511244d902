import type pg from 'pg';
import { openClient, textRows, type Database } from '../../connectors/postgres/connection.ts';
import { ident, qualified } from '../../connectors/postgres/sql.ts';
import { countUnread } from '../../consumers/dead-letters.ts';
import type { Model } from '../../consumers/model.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import type { Observer } from '../../core/ports.ts';
import { REFUSED_REMOVALS } from '../refused-removals.ts';
import { Snapshot } from '../snapshot.ts';
import { tellMismatch } from '../tell.ts';
import { entityStates, NOT_DERIVED } from '../target/entity-states.ts';
import { readPendingRoots, type PendingRoots } from '../target/pending-roots.ts';
import type { AccountProof, Amount, EntityAccountProof } from './account-proof.ts';
import { countRoots, rootsWith } from './count-roots.ts';

type AccountProofOptions = {
  readonly target: Database;
  /** Counts and sums of the source are given beside the mirror's; null: it is not asked. */
  readonly source: Database | null;
  readonly model: Model;
  /** Only these; null: all. */
  readonly entities: readonly string[] | null;
  /** Roots that are named, for each entity; all are counted. */
  readonly maxListed: number;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  /** Where other parts of a proof look at the same moment; the caller ends it. */
  readonly snapshot?: Snapshot;
};

/**
 * Accounts for every root in one snapshot of the target: each is exactly one of applied, held,
 * quarantined and excluded, and each column of `sums` adds up over them, to the last digit.
 */
export async function proveAccount(options: AccountProofOptions): Promise<AccountProof> {
  if (options.snapshot !== undefined) return proveIn(options, options.snapshot);
  await using snapshot = await Snapshot.take(options.target);
  return await proveIn(options, snapshot);
}

async function proveIn(options: AccountProofOptions, snapshot: Snapshot): Promise<AccountProof> {
  const { model, signal, observer } = options;
  const { client } = snapshot;
  const source = options.source === null ? null : await openClient(options.source, 'account');
  try {
    const [now] = await textRows(client, `select to_json(now()) #>> '{}'`);
    const states = await entityStates(client);
    const pending = await readPendingRoots(client, model);
    const entities: EntityAccountProof[] = [];
    for (const entity of model.entities) {
      if (options.entities !== null && !options.entities.includes(entity.name)) continue;
      signal.throwIfAborted();
      const state = states.has(entity.name) ? (states.get(entity.name) ?? null) : NOT_DERIVED;
      const proof = await accountFor({ ...options, client, source, pending }, entity, state);
      entities.push(proof);
      const isFault = !proof.agrees && proof.notVerified === null;
      tellMismatch(observer, 'account', entity.name, isFault ? 1 : 0);
      observer.event('accounted', { entity: entity.name, agrees: proof.agrees });
    }
    return {
      at: now?.[0] ?? '',
      entities,
      unread: await countUnread(client),
      agrees: entities.every((it) => it.agrees || it.notVerified !== null),
      isSettled: entities.every((it) => it.notVerified === null && it.pendingRoots === 0),
    };
  } finally {
    await source?.end();
  }
}

type Context = Omit<AccountProofOptions, 'source'> & {
  readonly client: pg.ClientBase;
  readonly source: pg.ClientBase | null;
  readonly pending: PendingRoots;
};

async function accountFor(
  context: Context,
  entity: DerivedEntity,
  state: string | null,
): Promise<EntityAccountProof> {
  const { client, model, maxListed } = context;
  const root = model.mirror.get(entity.shape.table.name);
  if (root === undefined) throw new Error(`no mirror of ${entity.shape.table.name}`);
  const open = context.pending.of(entity.name);
  const notVerified = state ?? (open === 'all' ? 'a job derives all of it' : null);
  const pending = open === 'all' ? [] : [...open];
  const count = await countRoots(client, model, entity, root, pending);
  const first = (roots: number, ways: 'none' | 'several') =>
    roots === 0 ? [] : rootsWith(client, model, entity, root, { ways, pending, maxListed });
  const excluded = await byRule(client, entity.name);
  const entries = await countEntries(client, entity.name);
  const { held, quarantined, excluded: excludedRoots } = count;
  const strayEntries = entries - held - quarantined - excludedRoots;
  const extraRows =
    count.targetRows === null ? 0 : count.targetRows - count.applied - count.keptRows;
  const source = context.source === null ? null : await sourceOf(context.source, entity, root);
  const sums = count.sums.map((sum, i) => ({ ...sum, source: source?.sums[i] ?? null }));
  const isWhole = strayEntries + extraRows === 0 && sums.every((sum) => sum.agrees);
  // Pending roots are left out of the first two; in the others they cannot be told apart.
  const agrees = count.inNone + count.inSeveral === 0 && (isWhole || pending.length > 0);
  return {
    entity: entity.name,
    source: root.name,
    targets: entity.targets,
    notVerified,
    sourceRows: source?.rows ?? null,
    ...{ mirrorRows: count.mirrorRows, tombstones: count.tombstones, applied: count.applied },
    ...{ held, quarantined, excluded },
    inNone: { count: count.inNone, first: await first(count.inNone, 'none') },
    inSeveral: { count: count.inSeveral, first: await first(count.inSeveral, 'several') },
    ...{ strayEntries, extraRows, pendingRoots: pending.length, sums },
    agrees: notVerified === null && agrees,
  };
}

async function byRule(
  client: pg.ClientBase,
  entity: string,
): Promise<Readonly<Record<string, number>>> {
  const rows = await textRows(
    client,
    `select rule, count(*) from tandem.excluded
     where entity = $1 and root_key not in (${REFUSED_REMOVALS}) group by rule order by rule`,
    [entity],
  );
  return Object.fromEntries(rows.map(([rule, count]) => [rule ?? '', Number(count)]));
}

/** Roots on the lists, whether there is such a root or not; but those that could not be removed. */
async function countEntries(client: pg.ClientBase, entity: string): Promise<number> {
  const [row] = await textRows(
    client,
    `select (select count(distinct root_key) from tandem.held where entity = $1)
       + (select count(*) from tandem.quarantine where entity = $1)
       + (select count(*) from tandem.excluded where entity = $1)
       - (select count(*) from (${REFUSED_REMOVALS}) as removal)`,
    [entity],
  );
  return Number(row?.[0]);
}

/** Counts and sums where the rows come from: a moment of its own, beside the snapshot. */
async function sourceOf(
  source: pg.ClientBase,
  entity: DerivedEntity,
  root: MirrorTable,
): Promise<{ readonly rows: number; readonly sums: readonly Amount[] }> {
  const columns = Object.values(entity.sums);
  const amounts = columns.map(
    (column) => `, count(${ident(column)}), coalesce(sum(${ident(column)}::numeric), 0)`,
  );
  const [row = []] = await textRows(
    source,
    `select count(*)${amounts.join('')} from ${qualified(root.schema, root.relation)}`,
  );
  return {
    rows: Number(row[0]),
    sums: columns.map((_, i) => ({
      rows: Number(row[1 + 2 * i]),
      sum: row[2 + 2 * i] ?? '0',
    })),
  };
}
