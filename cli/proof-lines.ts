import { rowsOf, tableNotes } from '../proof/mirror/describe.ts';
import type { TableProof } from '../proof/mirror/verify-mirror.ts';
import { tableVerdict, type ProofReport, type Verdict } from '../proof/report.ts';
import { formatCount } from './units.ts';

/** Of a list of keys, so many are printed; `--json` and `--report` have all that are known. */
const SHOWN = 10;

const VERDICTS: Readonly<Record<Verdict, string>> = {
  agrees: 'the mirror agrees with the source',
  differs: 'the mirror DIFFERS from the source',
  unsettled: 'not everything could be settled; ask again',
};

/** `tandem verify` for a person. */
export function proofLines(report: ProofReport): string[] {
  const { mirror } = report;
  const head = ['table', 'rows', 'ranges', 'mismatches', 'unsettled', ''];
  const cells = [head, ...mirror.tables.map(tableCells)];
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const notes = mirror.tables.flatMap((table) =>
    tableNotes(table, SHOWN).map((note) => `${table.table}: ${note}`),
  );
  return [...lines, '', ...notes, ...(notes.length > 0 ? [''] : []), ...closing(report)];
}

function tableCells(table: TableProof): string[] {
  const { rows, ranges, skippedRanges, mismatches, unsettledCount, openRanges, isCutOff } = table;
  const many = isCutOff ? '+' : '';
  const open = openRanges > 0 ? `${openRanges} ranges` : formatCount(unsettledCount);
  const sampled = skippedRanges === 0 ? '' : ` of ${formatCount(ranges + skippedRanges)}`;
  const verdict = tableVerdict(table);
  return [
    table.table,
    table.notVerified === null ? formatCount(rows) : '',
    table.notVerified === null ? `${formatCount(ranges)}${sampled}` : '',
    table.notVerified === null ? `${formatCount(mismatches.length)}${many}` : '',
    table.notVerified === null ? open : 'not verified',
    verdict === 'agrees' ? '' : '!',
  ];
}

function closing({ mirror, verdict, scope }: ProofReport): string[] {
  const { from, until, tables } = mirror;
  const counted = `${formatCount(tables.length)} tables, ${formatCount(rowsOf(mirror))} ${scope.since === null ? 'rows' : 'keys'}`;
  return [`${counted}, source at ${from} to ${until}: ${VERDICTS[verdict]}`, ...scopeLines(scope)];
}

export function scopeLines({ since, sample }: ProofReport['scope']): string[] {
  return [
    ...(since === null ? [] : [`only keys that changed in the mirror behind ${since}`]),
    ...(sample === null
      ? []
      : [`a sample: ${sample.share * 100}% of the ranges, seed ${sample.seed}`]),
  ];
}
