import type pg from 'pg';
import type { LogPositions, SeenEnd, StoredPositions } from '../connectors/kafka/log-position.ts';
import { partitionName } from '../connectors/kafka/log-position.ts';
import { arrayLiteral } from '../connectors/postgres/sql.ts';
import { execute, textRows, withClient, type Database } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';

/** Where the target stands in each partition, read anew each time: others move partitions too. */
export function positionsOf(target: Database, stream: string): LogPositions {
  return {
    read: () => withClient(target, 'positions', (client) => readPositions(client, stream)),
    saw: (ends) => withClient(target, 'positions', (client) => noteEnds(client, stream, ends)),
  };
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
    `select topic, "partition", next_offset, last_timestamp, seen_end, has_gaps
     from tandem.topic_position where stream = $1`,
    [stream],
  );
  return {
    clusterId: cluster[0] ?? null,
    partitions: new Map(
      rows.map(([topic, partition, next, timestamp, seenEnd, hasGaps]) => [
        partitionName(topic ?? '', Number(partition)),
        {
          next: BigInt(next ?? 0),
          timestampMs: timestamp == null ? null : Number(timestamp),
          ...(seenEnd == null ? {} : { seenEnd: BigInt(seenEnd) }),
          hasGaps: hasGaps === 't',
        },
      ]),
    ),
  };
}

/** A partition of which nothing was known stands at its beginning from now on. */
export async function noteEnds(
  client: pg.ClientBase,
  stream: string,
  ends: readonly SeenEnd[],
): Promise<void> {
  const array = (value: (seen: SeenEnd) => number | bigint | string) =>
    arrayLiteral(ends.map((seen) => value(seen).toString()));
  await execute(
    client,
    `insert into tandem.topic_position as known (stream, topic, "partition", next_offset, seen_end)
     select $1, topic, "partition", 0, seen_end
     from unnest($2::text[], $3::integer[], $4::bigint[]) as seen (topic, "partition", seen_end)
     order by topic collate "C", "partition"
     on conflict (stream, topic, "partition") do update
       set seen_end = greatest(known.seen_end, excluded.seen_end)`,
    [
      stream,
      array(({ topic }) => topic),
      array(({ partition }) => partition),
      array(({ end }) => end),
    ],
  );
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

/** The positions are those of another cluster from now on. */
export async function setCluster(
  client: pg.ClientBase,
  stream: string,
  clusterId: string,
): Promise<void> {
  const sql = 'update tandem.position set cluster_id = $2 where stream = $1';
  await execute(client, sql, [stream, clusterId]);
}

/** Forgets where the target stands in a topic: it is read from these offsets on, by partition. */
export async function beginTopic(
  client: pg.ClientBase,
  stream: string,
  topic: string,
  offsets: ReadonlyMap<number, bigint>,
): Promise<void> {
  const forget = 'delete from tandem.topic_position where stream = $1 and topic = $2';
  await execute(client, forget, [stream, topic]);
  await execute(
    client,
    `insert into tandem.topic_position (stream, topic, "partition", next_offset)
     select $1, $2, * from unnest($3::integer[], $4::bigint[])`,
    [
      stream,
      topic,
      arrayLiteral([...offsets.keys()].map(String)),
      arrayLiteral([...offsets.values()].map(String)),
    ],
  );
}
