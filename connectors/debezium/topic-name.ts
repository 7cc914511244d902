import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';

/** Characters that Kafka does not take in a topic's name are underscores, as Debezium has it. */
const FOREIGN = /[^a-zA-Z0-9._-]/g;

/** The topic of a table's changes. */
export function tableTopic(prefix: string, { schema, relation }: MirrorTable): string {
  return `${prefix}.${schema}.${relation}`.replace(FOREIGN, '_');
}

/** The topic of logical messages, our heartbeats among them. */
export function messageTopic(prefix: string): string {
  return `${prefix}.message`.replace(FOREIGN, '_');
}

/**
 * The tables by their topics.
 *
 * @throws TandemError `CONFIG_INVALID` where two tables would share a topic
 */
export function tablesByTopic(
  prefix: string,
  tables: readonly MirrorTable[],
): ReadonlyMap<string, MirrorTable> {
  const byTopic = new Map<string, MirrorTable>();
  for (const table of tables) {
    const topic = tableTopic(prefix, table);
    const other = byTopic.get(topic);
    if (other !== undefined) {
      const what = 'two tables would share a topic';
      throw new TandemError('CONFIG_INVALID', {
        what,
        topic,
        table: table.name,
        other: other.name,
      });
    }
    byTopic.set(topic, table);
  }
  return byTopic;
}
