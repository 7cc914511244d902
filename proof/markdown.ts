import { rowsOf, tableNotes } from './mirror/describe.ts';
import type { MirrorProof } from './mirror/verify-mirror.ts';
import { tableVerdict, type ProofReport, type Verdict } from './report.ts';

const VERDICTS: Readonly<Record<Verdict, string>> = {
  agrees: 'agrees',
  differs: '**differs**',
  unsettled: 'not settled',
};
const LISTED = 1_000;

/** The report for people who were not there. */
export function markdownOf(report: ProofReport): string {
  const { scope } = report;
  const sample =
    scope.sample === null
      ? 'all ranges'
      : `a sample of ${scope.sample.share * 100}% of the ranges, drawn with seed ${scope.sample.seed}`;
  const facts = [
    ['verdict', VERDICTS[report.verdict]],
    ['begun', report.startedAt],
    ['ended', report.finishedAt],
    ['Tandem', report.tandem],
    ['source', report.sourceServer],
    ['target', report.targetServer],
    ['looked at', scope.since === null ? sample : `keys changed behind ${scope.since}`],
  ];
  return `${['# Proof', table(['', ''], facts), ...mirrorSection(report.mirror)].join('\n\n')}\n`;
}

function mirrorSection(mirror: MirrorProof): string[] {
  const rows = mirror.tables.map((it) => [
    it.table,
    String(it.rows),
    it.skippedRanges === 0 ? String(it.ranges) : `${it.ranges} of ${it.ranges + it.skippedRanges}`,
    it.checksum,
    `${it.mismatches.length}${it.isCutOff ? ' or more' : ''}`,
    String(it.unsettledCount),
    VERDICTS[tableVerdict(it)],
  ]);
  const notes = mirror.tables.flatMap((it) =>
    tableNotes(it, LISTED).map((note) => `- \`${it.table}\`: ${note}`),
  );
  return [
    '## Mirror against source',
    `${mirror.tables.length} tables, ${rowsOf(mirror)} rows, hashed by ${mirror.hashing}; the source's log ended at ${mirror.from} when it began and at ${mirror.until} when it ended.${mirror.isComplete ? '' : ' It was stopped before all tables were done.'}`,
    table(['table', 'rows', 'ranges', 'checksum', 'mismatches', 'not settled', 'verdict'], rows),
    ...(notes.length > 0 ? [notes.join('\n')] : []),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
