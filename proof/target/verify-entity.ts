import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import type { Existence } from '../../consumers/existence.ts';
import { TreeLoader } from '../../consumers/load-tree.ts';
import { MARK_NAMES, type Mark } from '../../consumers/marks.ts';
import { mirrorName } from '../../consumers/mirror-schema.ts';
import type { Model } from '../../consumers/model.ts';
import type { DerivedEntity } from '../../core/entity.ts';
import type { Observer } from '../../core/ports.ts';
import type { Pace } from '../mirror/pace.ts';
import { rangeTeller, tellMismatch } from '../tell.ts';
import { checkDecisions } from './check-decisions.ts';
import { Findings } from './findings.ts';
import { findExtraRows, findStrayMarks } from './find-strays.ts';
import type { PendingRoots } from './pending-roots.ts';
import { RootPages } from './root-pages.ts';
import type { EntityProof } from './target-proof.ts';
import { PageCheck, type IdSpace } from './verify-page.ts';

type EntityContext = {
  readonly model: Model;
  /** Sessions in one snapshot, a worker each. */
  readonly sessions: readonly pg.Client[];
  readonly enter: (client: pg.ClientBase) => Promise<void>;
  readonly existence: Existence;
  readonly pending: PendingRoots;
  /** Roots in memory at a time, for each worker. */
  readonly pageRows: number;
  readonly maxListed: number;
  readonly pace?: Pace;
  readonly observer: Observer;
  readonly signal: AbortSignal;
};

/** What was found, and what the count of foreign rows needs. */
export type VerifiedEntity = {
  readonly proof: EntityProof;
  readonly spaces: readonly IdSpace[];
  readonly seeds: ReadonlyMap<string, number>;
};

/** Derives all roots of an entity again and compares; then looks for what no root yields. */
export async function verifyEntity(
  context: EntityContext,
  entity: DerivedEntity,
): Promise<VerifiedEntity> {
  const { model, sessions, observer, signal, enter, existence } = context;
  const [first] = sessions;
  if (first === undefined) throw new Error('no session');
  const loader = new TreeLoader(entity.shape, model.mirror);
  const pending = context.pending.of(entity.name);
  const isPending = (root: string) => pending === 'all' || pending.has(root);
  const findings = new Findings(context.maxListed, isPending);
  const lists = await listsOf(first, entity.name);
  const check = new PageCheck({ model, entity, loader, existence, lists, findings, enter });
  const pages = new RootPages(loader.root, context.pageRows);
  const [row] = await textRows(
    first,
    'select greatest(reltuples, 0)::bigint from pg_class where oid = $1::regclass',
    [mirrorName(loader.root)],
  );
  const estimate = Number(row?.[0] ?? 0);

  const tell = rangeTeller(observer, 'target', { rows: 0, mismatches: 0, open: 0 });
  let isOver = false;
  const work = async (client: pg.Client) => {
    try {
      while (!isOver) {
        signal.throwIfAborted();
        const images = await pages.next(client);
        if (images.length === 0) return;
        const page = () => check.check(client, images);
        await (context.pace === undefined ? page() : context.pace.work('target', page));
        const { roots } = check;
        const open = findings.pending.count;
        tell({ rows: roots, mismatches: findings.count, open });
        observer.progress('verify', entity.name, roots, Math.max(estimate, roots));
      }
    } finally {
      // The others stop after the page in hand, for one has failed or there is no page left.
      isOver = true;
    }
  };
  for (const result of await Promise.allSettled(sessions.map(work))) {
    if (result.status === 'rejected') throw result.reason;
  }

  const seeds = await findExtraRows(first, model, entity, check, findings);
  await findStrayMarks(first, model, entity, lists, findings);
  await checkDecisions(first, entity, findings);
  tellMismatch(observer, 'target', entity.name, findings.count);
  const proof: EntityProof = {
    entity: entity.name,
    targets: entity.targets,
    notVerified: null,
    roots: check.roots,
    rows: check.rows,
    missing: findings.missing.listed,
    extra: findings.extra.listed,
    different: findings.different.listed,
    marks: findings.marks.listed,
    pending: findings.pending,
  };
  return { proof, spaces: check.spaces, seeds };
}

/** An entity that was not looked at. */
export function notVerified(entity: DerivedEntity, reason: string): EntityProof {
  const none = { count: 0, first: [] };
  return {
    entity: entity.name,
    targets: entity.targets,
    notVerified: reason,
    roots: 0,
    rows: 0,
    ...{ missing: none, extra: none, different: none, marks: none, pending: none },
  };
}

/** The lists that say anything about the entity: mostly few, and the others need not be asked. */
async function listsOf(client: pg.ClientBase, entity: string): Promise<readonly Mark[]> {
  const lists = MARK_NAMES.map((list) => `exists (select from tandem.${list} where entity = $1)`);
  const [row] = await textRows(client, `select ${lists.join(', ')}`, [entity]);
  return MARK_NAMES.filter((_, i) => row?.[i] === 't');
}
