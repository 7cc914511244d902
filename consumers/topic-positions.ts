import type pg from 'pg';
import type { LogPositions, StoredPositions } from '../connectors/kafka/log-position.ts';
import { partitionName } from '../connectors/kafka/log-position.ts';
import { execute, textRows, withClient, type Database } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';

/** Where the target stands in each partition, read anew each time: others move partitions too. */
export function positionsOf(target: Database, stream: string): LogPositions {
  return { read: () => withClient(target, 'positions', (client) => readPositions(client, stream)) };
}

export async function readPositions(
  client: pg.ClientBase,
  stream: string,
): Promise<StoredPositions> {
  const [cluster] = await textRows(
    client,
    'select cluster_id from tandem.position where stream = $1',
    [stream],
  );
  if (cluster === undefined) throw new TandemError('NOT_SET_UP', { stream });
  const rows = await textRows(
    client,
    `select topic, "partition", next_offset, last_timestamp from tandem.topic_position where stream = $1`,
    [stream],
  );
  return {
    clusterId: cluster[0] ?? null,
    partitions: new Map(
      rows.map(([topic, partition, next, timestamp]) => [
        partitionName(topic ?? '', Number(partition)),
        { next: BigInt(next ?? 0), timestampMs: timestamp == null ? null : Number(timestamp) },
      ]),
    ),
  };
}

/** Remembers whose offsets the positions are, the first time. */
export async function noteCluster(
  client: pg.ClientBase,
  stream: string,
  clusterId: string,
): Promise<void> {
  await execute(
    client,
    'update tandem.position set cluster_id = $2 where stream = $1 and cluster_id is null',
    [stream, clusterId],
  );
}

/** Forgets where the target stands in these topics: they are read from what they hold. */
export async function forgetTopics(
  client: pg.ClientBase,
  stream: string,
  topics: readonly string[],
): Promise<void> {
  await execute(
    client,
    'delete from tandem.topic_position where stream = $1 and topic = any($2::text[])',
    [stream, topics],
  );
}
