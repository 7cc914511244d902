import type { MirrorProof, TableProof } from './mirror/verify-mirror.ts';

/** `differs` has been shown; `unsettled` could be either, and asks for another look. */
export type Verdict = 'agrees' | 'differs' | 'unsettled';

/** What was proved, of which servers, when. JSON, without a value of any row. */
export type ProofReport = {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly tandem: string;
  /** As the server prints its version. */
  readonly sourceServer: string;
  readonly targetServer: string;
  readonly scope: ProofScope;
  readonly verdict: Verdict;
  readonly mirror: MirrorProof;
};

/** What was looked at. */
export type ProofScope = {
  readonly tables: readonly string[];
  readonly since: string | null;
  readonly sample: { readonly share: number; readonly seed: number } | null;
};

export function tableVerdict(table: TableProof): Verdict {
  if (table.mismatches.length > 0) return 'differs';
  const isOpen = table.notVerified !== null || table.unsettledCount > 0 || table.openRanges > 0;
  return isOpen ? 'unsettled' : 'agrees';
}

export function mirrorVerdict({ tables, isComplete }: MirrorProof): Verdict {
  return worst([...tables.map(tableVerdict), isComplete ? 'agrees' : 'unsettled']);
}

/** A fault that was shown outweighs what is open. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('differs')) return 'differs';
  return verdicts.includes('unsettled') ? 'unsettled' : 'agrees';
}

/** What stays of a finished pass: counts. */
export function summaryOf({ mirror, tandem }: ProofReport): object {
  const sum = (of: (table: TableProof) => number) =>
    mirror.tables.reduce((total, table) => total + of(table), 0);
  return {
    tandem,
    ...{ from: mirror.from, until: mirror.until, tables: mirror.tables.length },
    rows: sum(({ rows }) => rows),
    mismatches: sum(({ mismatches }) => mismatches.length),
    unsettled: sum(({ unsettledCount }) => unsettledCount),
  };
}
