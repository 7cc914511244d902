import { ERROR_POLICY, type ErrorCode } from '../../core/errors.ts';
import type { DeadLetterList, DeadLetterRow } from '../../monitoring/dead-letter-list.ts';
import { aligned } from '../aligned.ts';
import { shellWord } from '../records/list-words.ts';
import { formatCount, formatSeconds } from '../units.ts';

/** Dead letters under the rows in quarantine: counts by topic and reason, then the messages. */
export function messageLines({ counts, total, rows }: DeadLetterList): string[] {
  if (total === 0) return [];
  const isAccepted = rows.some(({ acceptedAt }) => acceptedAt !== null);
  const lines = [
    ...aligned(
      [
        ['messages', 'topic', 'reason'],
        ...counts.map(({ topic, reason, messages }) => [formatCount(messages), topic, reason]),
      ],
      new Set([0]),
    ),
    '',
    ...aligned([
      ['topic', 'place', 'table', 'reason', 'age', 'attempts', ...(isAccepted ? BY : [])],
      ...rows.map((row) => [...cellsOf(row), ...(isAccepted ? decisionOf(row) : [])]),
    ]),
  ];
  const hidden = total - rows.length;
  if (hidden > 0) lines.push(`… and ${formatCount(hidden)} more: --limit ${total}`);
  const [first] = rows;
  if (first !== undefined) {
    const { topic, place } = first;
    lines.push('', `next: tandem quarantine show ${shellWord(topic)} ${place}`);
  }
  return lines;
}

const cellsOf = (row: DeadLetterRow): string[] => [
  row.topic,
  row.place,
  row.table ?? '',
  row.reason,
  formatSeconds(row.ageSeconds),
  String(row.attempts),
];

const BY = ['accepted by', 'because'];
const decisionOf = (row: DeadLetterRow): string[] => [row.acceptedBy ?? '', row.note ?? ''];

/** One message: where it was, what was wrong with it, and what to do. */
export function messageDetails(row: DeadLetterRow, entities: readonly string[]): string[] {
  const next =
    row.acceptedAt === null
      ? [
          `next: tandem quarantine retry ${shellWord(row.topic)} ${row.place}`,
          `      tandem quarantine accept ${shellWord(row.topic)} ${row.place} --reason "…"`,
        ]
      : [];
  return [
    ...aligned([
      ['message', `${row.topic} ${row.place}`],
      ['table', row.table ?? '(none)'],
      ['entities', entities.length === 0 ? '(none)' : entities.join(', ')],
      ['reason', `${row.reason}: ${row.message}`],
      ['attempts', `${row.attempts}, the last at ${row.lastTriedAt}`],
      ['since', row.since],
      ...(row.acceptedAt === null
        ? []
        : [['accepted', `by ${row.acceptedBy ?? ''} at ${row.acceptedAt}: ${row.note ?? ''}`]]),
    ]),
    ERROR_POLICY[row.reason as ErrorCode]?.hint ?? '',
    'Its change may be missing in the target. Its bytes are in the topic of dead letters.',
    ...next,
  ];
}
