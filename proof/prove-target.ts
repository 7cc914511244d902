import type { Database } from '../connectors/postgres/connection.ts';
import type { Model } from '../consumers/model.ts';
import type { Clock, Observer } from '../core/ports.ts';
import type { AccountProof } from './account/account-proof.ts';
import { proveAccount } from './account/prove-account.ts';
import type { Pace } from './mirror/pace.ts';
import { Snapshot } from './snapshot.ts';
import { settleJobs } from './target/entity-states.ts';
import type { TargetProof } from './target/target-proof.ts';
import { verifyTarget } from './target/verify-target.ts';

type ProveTargetOptions = {
  readonly source: Database;
  readonly target: Database;
  readonly model: Model;
  /** Only these, and no journals; null: all. */
  readonly entities: readonly string[] | null;
  readonly workers: number;
  /** Roots in memory at a time, for each worker (default 2,000). */
  readonly pageRows?: number;
  /** Journals too (default: where all entities are looked at). */
  readonly journals?: boolean;
  /** Rests between pages; not given: none. */
  readonly pace?: Pace;
  /** How long to wait until no job is open, before the snapshot is taken. */
  readonly settleMs: number;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly signal: AbortSignal;
};

/** Roots in memory at a time, for each worker. */
export const PAGE_ROWS = 2_000;
/** Faults of one kind that are named, for each entity. */
const MAX_LISTED = 1_000;

/** Target against mirror, and the account, at one moment of the target. */
export async function proveTarget(
  options: ProveTargetOptions,
): Promise<{ readonly target: TargetProof; readonly account: AccountProof }> {
  await settleJobs(options);
  await using snapshot = await Snapshot.take(options.target);
  const shared = { ...options, maxListed: MAX_LISTED, snapshot };
  const target = await verifyTarget({ ...shared, pageRows: options.pageRows ?? PAGE_ROWS });
  const account = await proveAccount(shared);
  return { target, account };
}
