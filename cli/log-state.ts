import type pg from 'pg';
import { readGroups, type ConsumerGroup } from '../connectors/kafka/group-members.ts';
import { lookAtLog } from '../connectors/kafka/log-sight.ts';
import { messageTopic, tableTopics } from '../core/topic-name.ts';
import { textRows } from '../connectors/postgres/connection.ts';
import { readPosition } from '../consumers/position.ts';
import { readPositions } from '../consumers/topic-positions.ts';
import type { Mapping } from '../core/entity.ts';
import { TandemError } from '../core/errors.ts';
import type { Observer } from '../core/ports.ts';
import { topicLags, type TopicLag } from '../monitoring/log-lag.ts';
import type { Config } from './config.ts';
import { capturedTables } from './connector/wanted-config.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { APPLY } from './stream-entry.ts';
import { formatCount } from './units.ts';

/** The log between the databases, as `tandem status` shows it. */
export type LogState = {
  /** Sessions that apply it. */
  readonly consumers: number;
  /** They, and whoever else reads in the stream's groups, as the broker sees them. */
  readonly groups: readonly ConsumerGroup[];
  readonly topics: readonly TopicLag[];
  /** Why the log could not be asked; null: it was. */
  readonly failure: string | null;
};

/** Null where the stream does not come through a log. */
export async function readLogState(
  target: pg.ClientBase,
  config: Config,
  mapping: Mapping,
  observer: Observer,
): Promise<LogState | null> {
  const { kafka, stream } = config;
  if (kafka === null || (await readPosition(target, stream))?.mode !== 'kafka') return null;
  const [row] = await textRows(
    target,
    `select count(*) from pg_stat_activity
     where application_name = $1 and datname = current_database()`,
    [`tandem ${APPLY}`],
  );
  const consumers = Number(row?.[0] ?? 0);
  try {
    const topics = await lagsOf(target, { kafka, stream }, mapping, observer);
    const groups = await readGroups(kafka.access, kafka.group, observer);
    return { consumers, groups, topics, failure: null };
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    return { consumers, groups: [], topics: [], failure: error.message };
  }
}

/**
 * How far the target is behind each topic; null where the stream does not come through a log.
 *
 * @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`
 */
export async function readTopicLags(
  target: pg.ClientBase,
  { kafka, stream }: Config,
  mapping: Mapping,
  observer: Observer,
): Promise<readonly TopicLag[] | null> {
  if (kafka === null || (await readPosition(target, stream))?.mode !== 'kafka') return null;
  return await lagsOf(target, { kafka, stream }, mapping, observer);
}

async function lagsOf(
  target: pg.ClientBase,
  { kafka, stream }: { readonly kafka: KafkaConfig; readonly stream: string },
  mapping: Mapping,
  observer: Observer,
): Promise<readonly TopicLag[]> {
  const { prefix } = kafka.topics;
  const topics = [...tableTopics(prefix, capturedTables(mapping)).keys(), messageTopic(prefix)];
  const { ends } = await lookAtLog(kafka.access, topics, observer);
  const { partitions } = await readPositions(target, stream);
  return topicLags(ends, partitions);
}

/** `group tandem-tandem: stable; 10.0.0.1 has 5 partitions, 10.0.0.2 has 4`. */
function groupText({ name, state, members }: ConsumerGroup): string {
  const parts = members.map(
    ({ host, partitions }) =>
      `${host} has ${formatCount(partitions)} ${partitions === 1 ? 'partition' : 'partitions'}`,
  );
  const who = members.length === 0 ? '' : `; ${parts.join(', ')}`;
  return `group ${name}: ${state.toLowerCase()}${who}`;
}

/** A line for the whole, one for each group, and one for each topic of which something is missing. */
export function logStateLines({ consumers, groups, topics, failure }: LogState): string[] {
  const who = consumers === 0 ? 'nobody consumes' : `${formatCount(consumers)} consume`;
  if (failure !== null) return [`log          ${who}; not known: ${failure}`];
  const sum = topics.reduce((total, { messagesBehind }) => total + messagesBehind, 0);
  return [
    `log          ${who}, ${formatCount(sum)} messages behind`,
    ...groups.map((group) => `             ${groupText(group)}`),
    ...topics.flatMap(({ topic, messagesBehind, worst }) =>
      worst === null
        ? []
        : [
            `             ${topic}: ${formatCount(messagesBehind)}, of partition ${worst.partition} ${formatCount(worst.messagesBehind)}`,
          ],
    ),
  ];
}
