import type { EntityAccountProof, SumProof } from './account/account-proof.ts';
import type {
  EntityProof,
  JournalProof,
  Listed,
  MarkFault,
  RowFault,
} from './target/target-proof.ts';

const LISTS: Readonly<Record<MarkFault['list'], string>> = {
  held: 'held',
  unresolved: 'unresolved',
  excluded: 'excluded',
  quarantine: 'quarantine',
  issue: 'issues',
  yielded: 'the record of yielded rows',
};

/** What an entity leaves to say beside its numbers, `limit` of each kind at most. */
export function entityNotes(proof: EntityProof, limit: number): readonly string[] {
  if (proof.notVerified !== null) return [`not verified: ${proof.notVerified}`];
  return [
    ...listed(proof.missing, limit, (it) => `${rowText(it)}: it is not there`),
    ...listed(proof.extra, limit, (it) => `${rowText(it)}: nothing yields it`),
    ...listed(
      proof.different,
      limit,
      (it) => `${rowText(it)}: differs in ${it.columns.join(', ')}`,
    ),
    ...listed(proof.marks, limit, markText),
    ...listed(proof.pending, limit, ({ root }) => `${root}: a job has yet to derive it`),
  ];
}

export function journalNotes(proof: JournalProof, limit: number): readonly string[] {
  const { missing, orphans, waitingWrongly } = proof;
  return [
    ...(missing > 0 ? [`${missing} entries that must be there are not`] : []),
    ...listed(orphans, limit, (key) => `${key}: the mirror has never had this key`),
    ...listed(waitingWrongly, limit, (key) => `${key}: waits, or does not, against what is there`),
  ];
}

export function accountNotes(proof: EntityAccountProof, limit: number): readonly string[] {
  if (proof.notVerified !== null) return [`not verified: ${proof.notVerified}`];
  const { inNone, inSeveral, strayEntries, extraRows, sums, pendingRoots } = proof;
  return [
    ...listed(inNone, limit, (key) => `${key}: neither applied, held, quarantined nor excluded`),
    ...listed(inSeveral, limit, (key) => `${key}: in several of these at once`),
    ...(strayEntries !== 0 ? [`${strayEntries} entries about roots that are not there`] : []),
    ...(extraRows !== 0 ? [`${extraRows} live rows without a root`] : []),
    ...sums.filter(({ agrees }) => !agrees).map(sumText),
    ...(pendingRoots > 0 ? [`${pendingRoots} roots that a job has yet to derive`] : []),
  ];
}

/** Where an amount is lost or made. An amount of many rows is no value of a row. */
function sumText({ column, targetColumn, difference }: SumProof): string {
  return `${column} = ${targetColumn} does not add up: by ${difference.sum}, in ${difference.rows} rows`;
}

function listed<T>(list: Listed<T>, limit: number, text: (item: T) => string): string[] {
  const shown = list.first.slice(0, limit).map(text);
  const left = list.count - shown.length;
  return left > 0 ? [...shown, `… and ${left} more`] : shown;
}

const rowText = ({ root, table, id }: RowFault) => `${root ?? 'no root'}, row ${id} of ${table}`;

function markText({ list, kind, root, of }: MarkFault): string {
  const what = { missing: 'lacks it', extra: 'has it too many', different: 'says something else' };
  return `${root === '' ? 'a value' : root}: ${LISTS[list]} ${what[kind]}${of === null ? '' : `, ${of}`}`;
}
