import type { AccountProof } from './account/account-proof.ts';
import type { LeftOut } from './left-out.ts';
import type { MirrorProof, TableProof } from './mirror/verify-mirror.ts';
import type { EntityRepair } from './target/plan-repair.ts';
import type { EntityProof, JournalProof, TargetProof } from './target/target-proof.ts';

/** `differs` has been shown; `unsettled` could be either, and asks for another look. */
export type Verdict = 'agrees' | 'differs' | 'unsettled';

/** What was proved, of which servers, when. JSON, without a value of any row. */
export type ProofReport = {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly tandem: string;
  /** The name of the mapping. */
  readonly mapping: string;
  /** As the server prints its version. */
  readonly sourceServer: string;
  readonly targetServer: string;
  readonly scope: ProofScope;
  /** The worst of the parts. */
  readonly verdict: Verdict;
  readonly mirror: MirrorProof;
  /** Null: it was not asked for, or not reached. */
  readonly target: TargetProof | null;
  readonly account: AccountProof | null;
  /** What this says nothing about, and why. */
  readonly notVerified: readonly LeftOut[];
  /**
   * With `--repair`: what was done about the target; what is found above is what is left. What was
   * done about the mirror stands with its tables. Null: nothing was asked for.
   */
  readonly repair: readonly EntityRepair[] | null;
};

/** What was looked at. */
export type ProofScope = {
  readonly tables: readonly string[];
  /** Whose target rows were looked at; null: all, empty: none. */
  readonly entities: readonly string[] | null;
  readonly since: string | null;
  readonly sample: { readonly share: number; readonly seed: number } | null;
};

export type Parts = Pick<ProofReport, 'scope' | 'mirror' | 'target' | 'account' | 'repair'>;

export function verdictOf({ scope, mirror, target, account }: Parts): Verdict {
  const isWhole = !asksForTarget(scope) || (target !== null && account !== null);
  return worst([
    mirrorVerdict(mirror),
    ...(target === null ? [] : [partVerdict(target)]),
    ...(account === null ? [] : [partVerdict(account)]),
    isWhole ? 'agrees' : 'unsettled',
  ]);
}

export const asksForTarget = ({ entities }: ProofScope): boolean =>
  entities === null || entities.length > 0;

export function tableVerdict(table: TableProof): Verdict {
  if (table.mismatches.length > 0) return 'differs';
  const { notVerified, unsettledCount, openRanges, isCutOff } = table;
  const isOpen = notVerified !== null || unsettledCount > 0 || openRanges > 0 || isCutOff;
  return isOpen ? 'unsettled' : 'agrees';
}

function mirrorVerdict({ tables, isComplete }: MirrorProof): Verdict {
  return worst([...tables.map(tableVerdict), isComplete ? 'agrees' : 'unsettled']);
}

/** Of the target or the account. */
export function partVerdict(part: {
  readonly agrees: boolean;
  readonly isSettled: boolean;
}): Verdict {
  if (!part.agrees) return 'differs';
  return part.isSettled ? 'agrees' : 'unsettled';
}

export function faultsOf({ missing, extra, different, marks }: EntityProof): number {
  return missing.count + extra.count + different.count + marks.count;
}

function journalFaultsOf({ missing, orphans, waitingWrongly }: JournalProof): number {
  return missing + orphans.count + waitingWrongly.count;
}

export function entityVerdict(proof: EntityProof): Verdict {
  return partVerdict({
    agrees: faultsOf(proof) === 0,
    isSettled: proof.notVerified === null && proof.pending.count === 0,
  });
}

/** A fault that was shown outweighs what is open. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('differs')) return 'differs';
  return verdicts.includes('unsettled') ? 'unsettled' : 'agrees';
}

/** What stays of a finished pass: counts. */
export function summaryOf({
  mirror,
  target,
  account,
  tandem,
}: Omit<Parts, 'scope'> & Pick<ProofReport, 'tandem'>): object {
  const sum = (of: (table: TableProof) => number) =>
    mirror.tables.reduce((total, table) => total + of(table), 0);
  return {
    tandem,
    ...{ from: mirror.from, until: mirror.until, tables: mirror.tables.length },
    rows: sum(({ rows }) => rows),
    mismatches: sum(({ mismatches }) => mismatches.length),
    unsettled: sum(({ unsettledCount }) => unsettledCount),
    ...(target === null ? {} : { targetMismatches: targetFaults(target) }),
    ...(account === null ? {} : { accountMismatches: accountFaults(account) }),
  };
}

export function targetFaults({ entities, journals }: TargetProof): number {
  const ofEntities = entities.reduce((sum, it) => sum + faultsOf(it), 0);
  return ofEntities + journals.reduce((sum, it) => sum + journalFaultsOf(it), 0);
}

/** Entities that do not add up. */
export function accountFaults({ entities }: AccountProof): number {
  return entities.filter((it) => !it.agrees && it.notVerified === null).length;
}
