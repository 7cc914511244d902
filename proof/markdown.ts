import { repairNotes } from './describe-repair.ts';
import { rowsOf } from './mirror/describe.ts';
import type { ProofReport, Verdict } from './report.ts';
import { accountSections, mirrorSection, targetSections, type Section } from './sections.ts';

const VERDICTS: Readonly<Record<Verdict, string>> = {
  agrees: 'agrees',
  differs: '**differs**',
  unsettled: 'not settled',
};
const FORMAT = { count: String, limit: 1_000 };

/** The report for people who were not there. */
export function markdownOf(report: ProofReport): string {
  const { mirror, target, account } = report;
  const parts = [
    '# Proof',
    table(['', ''], factsOf(report)),
    ...sectionText(mirrorSection(mirror, FORMAT), mirrorNote(report)),
    ...(target === null
      ? []
      : targetSections(target, FORMAT).flatMap((it) => sectionText(it, `At ${target.at}.`))),
    ...(account === null
      ? []
      : accountSections(account, FORMAT).flatMap((it) => sectionText(it, `At ${account.at}.`))),
    ...(report.repair === null ? [] : repairText(report)),
    '## Not verified',
    list(report.notVerified.map(({ what, why }) => `- ${what}: ${why}`)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function factsOf(report: ProofReport): (readonly string[])[] {
  const { scope, target } = report;
  const sample =
    scope.sample === null
      ? 'all ranges'
      : `a sample of ${scope.sample.share * 100}% of the ranges, drawn with seed ${scope.sample.seed}`;
  const positions = Object.entries(target?.positions ?? {}).map(([name, at]) => `${name} ${at}`);
  return [
    ['verdict', VERDICTS[report.verdict]],
    ['begun', report.startedAt],
    ['ended', report.finishedAt],
    ['Tandem', report.tandem],
    ['mapping', report.mapping],
    ['source', report.sourceServer],
    ['target', report.targetServer],
    ['looked at', scope.since === null ? sample : `keys changed behind ${scope.since}`],
    ...(target === null ? [] : [['position', positions.join(', ')]]),
  ];
}

function mirrorNote({ mirror }: ProofReport): string {
  const { tables, hashing, from, until, isComplete } = mirror;
  const sums = tables
    .filter(({ notVerified }) => notVerified === null)
    .map((it) => `\`${it.table}\` ${it.checksum}`);
  return [
    `${tables.length} tables, ${rowsOf(mirror)} rows, hashed by ${hashing}; the source's log ended at ${from} when it began and at ${until} when it ended.${isComplete ? '' : ' It was stopped before all tables were done.'}`,
    `Checksums of the source's rows: ${sums.join(', ')}.`,
  ].join('\n\n');
}

function repairText({ mirror, repair }: ProofReport): string[] {
  const notes = repairNotes(mirror, repair ?? [], FORMAT.limit);
  return ['## Repair', list(notes.map(([of, note]) => `- \`${of}\`: ${note}`))];
}

function sectionText({ title, head, rows, notes }: Section, text: string): string[] {
  return [
    `## ${title}`,
    text,
    table(
      [...head, 'verdict'],
      rows.map(({ cells, verdict }) => [...cells, VERDICTS[verdict]]),
    ),
    ...(notes.length > 0 ? [list(notes.map(([of, note]) => `- \`${of}\`: ${note}`))] : []),
  ];
}

const list = (lines: readonly string[]) => (lines.length === 0 ? 'Nothing.' : lines.join('\n'));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
