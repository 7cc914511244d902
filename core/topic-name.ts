import { TandemError } from './errors.ts';
import type { MirrorTable } from './mirror-table.ts';

/** What a broker takes as a name. */
const LONGEST_NAME = 249;

/** The topic of a table's changes, as Debezium names it. */
export function tableTopic(
  prefix: string,
  table: Pick<MirrorTable, 'schema' | 'relation'>,
): string {
  return sanitized(`${prefix}.${table.schema}.${table.relation}`);
}

/** Logical messages of the source: our heartbeats. */
export function messageTopic(prefix: string): string {
  return sanitized(`${prefix}.message`);
}

/** Messages that nobody could read, as they were. */
export function deadLetterTopic(prefix: string): string {
  return sanitized(`${prefix}.dead-letter`);
}

function sanitized(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9._-]/g, '_');
}

/**
 * Tables by their topic.
 *
 * @throws TandemError `TOPIC_NAME` where two tables would share a topic, or a name is too long. A
 *   broker takes `a.b` and `a_b` for the same name too
 */
export function tableTopics<T extends Pick<MirrorTable, 'name' | 'schema' | 'relation'>>(
  prefix: string,
  tables: readonly T[],
): ReadonlyMap<string, T> {
  const topics = new Map<string, T>();
  const taken = new Map<string, string>(
    [
      [messageTopic(prefix), 'logical messages'],
      [deadLetterTopic(prefix), 'dead letters'],
    ].map(([topic = '', owner = '']) => [asBrokersCompare(topic), owner]),
  );
  for (const table of tables) {
    const topic = tableTopic(prefix, table);
    const other = taken.get(asBrokersCompare(topic));
    if (other !== undefined) {
      throw new TandemError('TOPIC_NAME', { topic, table: table.name, other });
    }
    if (topic.length > LONGEST_NAME) {
      throw new TandemError('TOPIC_NAME', { topic, table: table.name, longest: LONGEST_NAME });
    }
    taken.set(asBrokersCompare(topic), table.name);
    topics.set(topic, table);
  }
  return topics;
}

function asBrokersCompare(topic: string): string {
  return topic.replaceAll('.', '_');
}
