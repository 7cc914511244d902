import { repairNotes } from '../proof/describe-repair.ts';
import { rowsOf } from '../proof/mirror/describe.ts';
import type { ProofReport, Verdict } from '../proof/report.ts';
import { accountSections, mirrorSection, targetSections, type Section } from '../proof/sections.ts';
import { formatCount } from './units.ts';

/** Of a list of keys, so many are printed; `--json` and `--report` have all that are known. */
const FORMAT = { count: formatCount, limit: 10 };

const VERDICTS: Readonly<Record<Verdict, string>> = {
  agrees: 'AGREES',
  differs: 'DIFFERS',
  unsettled: 'not everything could be settled; ask again',
};

/** `tandem verify` for a person. */
export function proofLines(report: ProofReport): string[] {
  const { mirror, target, account, scope, verdict } = report;
  const sections = [
    mirrorSection(mirror, FORMAT),
    ...(target === null ? [] : targetSections(target, FORMAT)),
    ...(account === null ? [] : accountSections(account, FORMAT)),
  ];
  const repaired =
    report.repair === null
      ? []
      : repairNotes(mirror, report.repair, FORMAT.limit).map(([of, note]) => `${of}: ${note}`);
  const left = report.notVerified.map(({ what, why }) => `not verified: ${what}: ${why}`);
  const counted = `${formatCount(mirror.tables.length)} tables, ${formatCount(rowsOf(mirror))} ${scope.since === null ? 'rows' : 'keys'}`;
  return [
    ...sections.flatMap((section, i) => [...(i === 0 ? [] : ['']), ...sectionLines(section)]),
    '',
    ...repaired,
    ...left,
    ...scopeLines(scope),
    `${counted}, source at ${mirror.from} to ${mirror.until}: ${VERDICTS[verdict]}`,
  ];
}

/** A table of the report; an exclamation mark where something differs or is open. */
export function sectionLines({ title, head, rows, notes }: Section): string[] {
  const cells = [
    [...head, ''],
    ...rows.map((row) => [...row.cells, row.verdict === 'agrees' ? '' : '!']),
  ];
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return [
    title,
    ...cells.map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    ),
    ...notes.map(([of, note]) => `${of}: ${note}`),
  ];
}

function scopeLines({ since, sample }: ProofReport['scope']): string[] {
  return [
    ...(since === null ? [] : [`only keys that changed in the mirror behind ${since}`]),
    ...(sample === null
      ? []
      : [`a sample: ${sample.share * 100}% of the ranges, seed ${sample.seed}`]),
  ];
}
