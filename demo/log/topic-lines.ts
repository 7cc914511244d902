import { formatCount } from '../../cli/units.ts';
import type { TopicView } from './log-view.ts';

const SHOWN = 5;

/** The topics with most messages, and what the others hold. */
export function topicLines(topics: readonly TopicView[]): string[] {
  const shown = topics.slice(0, SHOWN);
  const others = topics.slice(SHOWN);
  const rows = shown.map(({ topic, partitions, messages }) => [topic, partitions, messages]);
  if (others.length > 0) {
    const sum = (of: 'partitions' | 'messages') => others.reduce((all, it) => all + it[of], 0);
    rows.push([`${others.length} more`, sum('partitions'), sum('messages')]);
  }
  const width = Math.max(...rows.map(([name]) => String(name).length));
  const line = (name: string, partitions: string, messages: string) =>
    `${name.padEnd(width)}${partitions.padStart(12)}${messages.padStart(11)}`;
  return [
    line('topic', 'partitions', 'messages'),
    ...rows.map(([name, partitions, messages]) =>
      line(String(name), formatCount(Number(partitions)), formatCount(Number(messages))),
    ),
  ];
}
