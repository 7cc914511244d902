import type pg from 'pg';
import { textRows, type Database } from '../../connectors/postgres/connection.ts';
import { Existence } from '../../consumers/existence.ts';
import type { Model } from '../../consumers/model.ts';
import { targetName } from '../../consumers/write-rows.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { Clock, Observer } from '../../core/ports.ts';
import { uuidRange } from '../../core/uuid.ts';
import type { Pace } from '../mirror/pace.ts';
import { Snapshot } from '../snapshot.ts';
import { entityStates, NOT_DERIVED, settleJobs } from './entity-states.ts';
import { idSpaces, liveSql } from './find-strays.ts';
import { readPendingRoots } from './pending-roots.ts';
import type { EntityProof, TargetProof, TargetTableProof } from './target-proof.ts';
import { notVerified, verifyEntity, type VerifiedEntity } from './verify-entity.ts';
import { verifyJournal } from './verify-journal.ts';

export type TargetProofOptions = {
  readonly target: Database;
  readonly model: Model;
  /** Only these, and no journals; null: all. */
  readonly entities: readonly string[] | null;
  readonly workers: number;
  /** Journals too (default: where all entities are looked at). */
  readonly journals?: boolean;
  /** Rests between pages; not given: none. */
  readonly pace?: Pace;
  /** Roots in memory at a time, for each worker. */
  readonly pageRows: number;
  /** Faults of one kind that are named, for each entity; all are counted. */
  readonly maxListed: number;
  /** How long to wait until no job is open, before the snapshot is taken. */
  readonly settleMs: number;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly signal: AbortSignal;
  /** Where other parts of a proof look at the same moment; the caller ends it. */
  readonly snapshot?: Snapshot;
};

/**
 * Derives every entity again from the mirror, in one snapshot of the target, and compares rows and
 * lists with what is there. Since both commit together, a difference is a defect or somebody
 * else's write, at any moment and under load.
 *
 * @throws TandemError of the target; what `signal` was aborted with
 */
export async function verifyTarget(options: TargetProofOptions): Promise<TargetProof> {
  if (options.snapshot !== undefined) return verifyIn(options, options.snapshot);
  await settleJobs(options);
  await using snapshot = await Snapshot.take(options.target);
  return await verifyIn(options, snapshot);
}

async function verifyIn(options: TargetProofOptions, snapshot: Snapshot): Promise<TargetProof> {
  const { model, workers, observer, signal } = options;
  const { client } = snapshot;
  const [now] = await textRows(client, `select to_json(now()) #>> '{}'`);
  const positions = await textRows(client, 'select stream, position from tandem.position');
  const states = await entityStates(client);
  const pending = await readPendingRoots(client, model);
  const wanted = model.entities.filter(
    ({ name }) => options.entities === null || options.entities.includes(name),
  );
  const proofs: EntityProof[] = blocked(model, options.entities).map((entity) =>
    notVerified(entity, 'a table that it reads cannot be followed now'),
  );
  const verified = new Map<string, VerifiedEntity>();
  const sessions: pg.Client[] = [];
  try {
    for (let i = 0; i < Math.max(1, workers); i++) sessions.push(await snapshot.session());
    const context = {
      ...options,
      sessions,
      pending,
      existence: new Existence(),
      enter: (session: pg.ClientBase) => snapshot.enter(session),
    };
    for (const entity of wanted) {
      const all = pending.of(entity.name) === 'all' ? 'a job derives all of it' : null;
      const reason = states.has(entity.name) ? (states.get(entity.name) ?? all) : NOT_DERIVED;
      if (reason !== null) {
        proofs.push(notVerified(entity, reason));
        continue;
      }
      const found = await verifyEntity(context, entity);
      verified.set(entity.name, found);
      proofs.push(found.proof);
      const { roots, missing, extra, different, marks } = found.proof;
      const faults = missing.count + extra.count + different.count + marks.count;
      observer.event('verified', { entity: entity.name, roots, faults });
    }
  } finally {
    await Promise.allSettled(sessions.map((session) => session.end()));
  }
  signal.throwIfAborted();
  const withJournals = options.journals ?? options.entities === null;
  const journals = [];
  for (const journal of withJournals ? model.journals : []) {
    journals.push(await verifyJournal(client, model, journal, options.maxListed));
  }
  const isSound = ({ missing, extra, different, marks }: EntityProof) =>
    missing.count + extra.count + different.count + marks.count === 0;
  return {
    at: now?.[0] ?? '',
    positions: Object.fromEntries(positions.map(([stream, at]) => [stream ?? '', at ?? ''])),
    entities: proofs,
    journals,
    tables: await countForeign(client, model, verified),
    openJobs: pending.openJobs,
    agrees:
      proofs.every(isSound) &&
      journals.every((it) => it.missing + it.orphans.count + it.waitingWrongly.count === 0),
    isSettled: proofs.every((it) => it.notVerified === null && it.pending.count === 0),
  };
}

/** Live rows outside all ids that entities give out. Only of tables whose writers were all looked at. */
async function countForeign(
  client: pg.ClientBase,
  model: Model,
  verified: ReadonlyMap<string, VerifiedEntity>,
): Promise<TargetTableProof[]> {
  const proofs: TargetTableProof[] = [];
  for (const table of model.targets.keys()) {
    const writers = model.entities.filter(({ targets }) => targets.includes(table));
    const journals = model.journals.filter(({ targets }) => targets.includes(table));
    if (!writers.every(({ name }) => verified.has(name))) continue;
    const spaces = [
      ...writers.flatMap((entity) => {
        const root = model.mirror.get(entity.shape.table.name);
        const seen = verified.get(entity.name)?.spaces ?? [];
        return root === undefined ? [] : idSpaces(entity, root, seen);
      }),
      ...journals.map(({ identity }) => ({ table, identity, form: undefined })),
    ].filter((space) => space.table === table);
    const ranges = spaces.map(({ identity, form }) => uuidRange(identity, form));
    const ours = ranges.map((_, i) => `id between $${2 * i + 1} and $${2 * i + 2}`);
    const [row] = await textRows(
      client,
      `select count(*) from ${targetName(table)} as t
       where ${liveSql(model, table, 't')}${ours.length > 0 ? ` and not (${ours.join(' or ')})` : ''}`,
      ranges.flatMap(({ first, last }) => [first, last]),
    );
    const seeds = writers.map(({ name }) => verified.get(name)?.seeds.get(table) ?? 0);
    const seedRows = seeds.reduce((sum, rows) => sum + rows, 0);
    proofs.push({ table, foreignRows: Number(row?.[0]), seedRows });
  }
  return proofs;
}

/** Entities of the mapping that are not derived now: a table that they read has stopped. */
function blocked(model: Model, wanted: readonly string[] | null): DerivedEntity[] {
  return model.mapping.entities.flatMap((entity) => {
    const isWanted = wanted === null || wanted.includes(entity.name);
    return entity.kind === 'derived' && isWanted && !model.entity.has(entity.name) ? [entity] : [];
  });
}
