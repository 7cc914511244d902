import type { AccountProof, EntityAccountProof } from './account/account-proof.ts';
import { accountNotes, entityNotes, journalNotes } from './describe-target.ts';
import { tableNotes } from './mirror/describe.ts';
import type { MirrorProof } from './mirror/verify-mirror.ts';
import { entityVerdict, partVerdict, tableVerdict, type Verdict } from './report.ts';
import type { TargetProof } from './target/target-proof.ts';

type Row = { readonly cells: readonly string[]; readonly verdict: Verdict };

/** A table of a report, and what its rows leave to say. The same on the screen and in a file. */
export type Section = {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  /** `[subject, note]`. */
  readonly notes: readonly (readonly [string, string])[];
};

type Format = {
  readonly count: (count: number) => string;
  /** Of each list, so many keys are named. */
  readonly limit: number;
};

export function mirrorSection({ tables }: MirrorProof, { count, limit }: Format): Section {
  return {
    title: 'Mirror against source',
    head: ['table', 'rows', 'ranges', 'mismatches', 'unsettled'],
    rows: tables.map((it) => {
      const open = it.openRanges > 0 ? `${it.openRanges} ranges` : count(it.unsettledCount);
      const all = it.skippedRanges === 0 ? '' : ` of ${count(it.ranges + it.skippedRanges)}`;
      const faults = `${count(it.mismatches.length)}${it.isCutOff ? '+' : ''}`;
      const cells =
        it.notVerified === null
          ? [it.table, count(it.rows), `${count(it.ranges)}${all}`, faults, open]
          : [it.table, '', '', '', 'not verified'];
      return { cells, verdict: tableVerdict(it) };
    }),
    notes: tables.flatMap((it) => tableNotes(it, limit).map((note) => [it.table, note] as const)),
  };
}

export function targetSections(
  { entities, journals }: TargetProof,
  { count, limit }: Format,
): readonly Section[] {
  const target: Section = {
    title: 'Target against mirror',
    head: ['entity', 'roots', 'rows', 'missing', 'extra', 'different', 'lists', 'pending'],
    rows: entities.map((it) => {
      const { roots, rows, missing, extra, different, marks, pending } = it;
      const counts = [missing, extra, different, marks, pending].map((list) => count(list.count));
      const cells =
        it.notVerified === null
          ? [it.entity, count(roots), count(rows), ...counts]
          : [it.entity, '', '', '', '', '', '', 'not verified'];
      return { cells, verdict: entityVerdict(it) };
    }),
    notes: entities.flatMap((it) =>
      entityNotes(it, limit).map((note) => [it.entity, note] as const),
    ),
  };
  if (journals.length === 0) return [target];
  const kept: Section = {
    title: 'Journals',
    head: ['journal', 'entries', 'waiting', 'keys'],
    rows: journals.map((it) => ({
      cells: [it.journal, count(it.rows), count(it.waiting), count(it.keys)],
      verdict: journalNotes(it, 1).length === 0 ? 'agrees' : 'differs',
    })),
    notes: journals.flatMap((it) =>
      [...journalNotes(it, limit), ...it.gaps].map((note) => [it.journal, note] as const),
    ),
  };
  return [target, kept];
}

const UNREAD = 'what they changed may be missing; see: tandem quarantine list --kind messages';

const WAYS = ['applied', 'held', 'quarantined', 'excluded'] as const;

export function accountSections(
  { entities, unread }: AccountProof,
  { count, limit }: Format,
): readonly Section[] {
  const rows = entities.map((it) => ({
    cells: [
      it.entity,
      it.sourceRows === null ? '' : count(it.sourceRows),
      count(it.mirrorRows),
      ...[it.applied, it.held, it.quarantined].map(count),
      count(Object.values(it.excluded).reduce((sum, roots) => sum + roots, 0)),
      count(it.tombstones),
    ],
    verdict: verdictOf(it),
  }));
  const roots: Section = {
    title: 'Account of the roots',
    head: ['entity', 'source', 'mirror', ...WAYS, 'deleted'],
    rows,
    notes: [
      ...entities.flatMap((it) =>
        [...accountNotes(it, limit), ...rulesOf(it, count)].map(
          (note) => [it.entity, note] as const,
        ),
      ),
      ...(unread === 0
        ? []
        : [['log', `${count(unread)} messages could not be read: ${UNREAD}`] as const]),
    ],
  };
  const sums = entities.flatMap((it) => it.sums.map((sum) => ({ entity: it.entity, sum })));
  if (sums.length === 0) return [roots];
  const amounts: Section = {
    title: 'Account of the amounts',
    head: ['entity', 'column', 'source', 'mirror', ...WAYS],
    rows: sums.map(({ entity, sum }) => ({
      cells: [
        entity,
        sum.column === sum.targetColumn ? sum.column : `${sum.column} = ${sum.targetColumn}`,
        sum.source?.sum ?? '',
        ...[sum.mirror, ...WAYS.map((way) => sum[way])].map((amount) => amount.sum),
      ],
      verdict: sum.agrees ? 'agrees' : 'differs',
    })),
    notes: [],
  };
  return [roots, amounts];
}

function verdictOf({ agrees, notVerified, pendingRoots }: EntityAccountProof): Verdict {
  if (notVerified !== null) return 'unsettled';
  return partVerdict({ agrees, isSettled: pendingRoots === 0 });
}

function rulesOf({ excluded }: EntityAccountProof, count: Format['count']): string[] {
  const rules = Object.entries(excluded).map(([rule, roots]) => `${rule} ${count(roots)}`);
  return rules.length === 0 ? [] : [`excluded by ${rules.join(', ')}`];
}
