import type { MirrorMismatch } from './settle.ts';
import type { MirrorProof, TableProof } from './verify-mirror.ts';

const KINDS: Readonly<Record<MirrorMismatch['kind'], string>> = {
  missing: 'the source has it, the mirror does not',
  extra: 'the mirror has it, the source does not',
  different: 'the values differ',
  ahead: 'its version lies in the future of the source: later changes would not get in',
};

/** `42: the values differ in note, status`. */
function mismatchText({ key, kind, columns }: MirrorMismatch): string {
  const names = columns.length === 0 ? '' : ` in ${columns.join(', ')}`;
  return `${keyText(key)}: ${KINDS[kind]}${names}`;
}

const keyText = (key: readonly string[]) =>
  key.length === 1 ? (key[0] ?? '') : `(${key.join(', ')})`;

/** What a table leaves to say beside its numbers, `limit` keys of a list at most. */
export function tableNotes(table: TableProof, limit: number): readonly string[] {
  const { mismatches, unsettled, unsettledCount, openRanges, reason } = table;
  if (table.notVerified !== null) return [`not verified: ${table.notVerified}`];
  const notes = mismatches.slice(0, limit).map(mismatchText);
  const left = mismatches.length - limit;
  if (left > 0) notes.push(`… and ${left} more mismatches`);
  if (table.isCutOff) notes.push('there may be more: the rest of the table was not looked at');
  const why = reason === null ? '' : `: ${reason}`;
  if (unsettledCount > 0) {
    const keys = unsettled.slice(0, limit).map(keyText).join(', ');
    const more = unsettledCount > Math.min(limit, unsettled.length) ? ', …' : '';
    notes.push(`not settled, keys ${keys}${more} (${unsettledCount})${why}`);
  }
  if (openRanges > 0) notes.push(`not settled, ${openRanges} ranges that differ${why}`);
  return notes;
}

export function rowsOf({ tables }: MirrorProof): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}
