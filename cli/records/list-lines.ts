import type { RecordList, RecordListName, RecordRow } from '../../monitoring/record-list.ts';
import { aligned } from '../aligned.ts';
import { formatCount, formatSeconds } from '../units.ts';
import { shellWord, STANDING } from './list-words.ts';

/** `tandem held list` for a person: counts by reason, then the rows. */
export function listLines(list: RecordListName, found: RecordList): string[] {
  const { counts, rows, total } = found;
  if (total === 0) return [`none ${STANDING[list]}`];
  const lines = [
    ...aligned(
      [
        ['rows', 'entity', 'reason'],
        ...counts.map(({ entity, reason, rows: n }) => [formatCount(n), entity, reason]),
      ],
      new Set([0]),
    ),
    '',
    ...aligned([headOf(list), ...rows.map((row) => cellsOf(list, row))]),
  ];
  const hidden = total - rows.length;
  if (hidden > 0) lines.push(`… and ${formatCount(hidden)} more: --limit ${total}`);
  const [first] = rows.filter(({ key }) => key !== '');
  if (first !== undefined) {
    const group = list === 'accepted' ? 'quarantine' : list;
    lines.push('', `next: tandem ${group} show ${first.entity} ${shellWord(first.key)}`);
  }
  return lines;
}

function headOf(list: RecordListName): string[] {
  const head = ['entity', 'root key', 'reason', 'age'];
  if (list === 'quarantine') head.push('attempts');
  if (list === 'accepted') head.push('by', 'because');
  return head;
}

function cellsOf(list: RecordListName, row: RecordRow): string[] {
  const reason = row.parentKey === null ? row.reason : `${row.reason} ${row.parentKey}`;
  const key = row.key === '' ? '(any)' : row.key;
  const cells = [row.entity, key, reason, formatSeconds(row.ageSeconds)];
  if (list === 'quarantine') cells.push(String(row.attempts ?? ''));
  if (list === 'accepted') cells.push(row.acceptedBy ?? '', row.note ?? '');
  return cells;
}
