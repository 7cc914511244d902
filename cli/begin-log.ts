import type pg from 'pg';
import { sourceName } from '../connectors/postgres/key-range.ts';
import { statementError, textRows } from '../connectors/postgres/connection.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { mirrorName } from '../consumers/mirror-schema.ts';
import { beginTopic, noteEnds, readPositions, setCluster } from '../consumers/topic-positions.ts';
import { TandemError } from '../core/errors.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import { messageTopic, tableTopics } from '../core/topic-name.ts';
import { formatLsn, type Lsn } from '../core/version.ts';
import { beginningsOf } from '../connectors/kafka/log-sight.ts';
import { partitionName } from '../connectors/kafka/log-position.ts';
import type { Config } from './config.ts';
import type { LogBeginning, LogCapture } from './log-capture.ts';

type Begun = {
  readonly config: Config;
  readonly log: LogCapture;
  readonly tables: readonly MirrorTable[];
};

/**
 * Before a log is read that is the backfill: looks whether it holds its tables from the beginning,
 * and remembers that it is read from there, and where its snapshot was taken. Does nothing where it
 * was begun before: positions and rows have moved together since.
 *
 * @throws TandemError `LOG_NOT_WHOLE`; `CONFIG_INVALID` where the mirror has rows from elsewhere
 */
export async function beginLog({ config, log, tables }: Begun): Promise<void> {
  const { stream, kafka } = config;
  if (kafka === null) return;
  await withBoth(config, 'begin the log', async (source, target) => {
    if ((await readPositions(target, stream)).partitions.size > 0) return;
    await requireEmpty(target, tables);
    const beginning = await log.beginning(tables);
    const byTopic = tableTopics(kafka.topics.prefix, tables);
    await requireWhole(source, byTopic, beginning);
    const messages = messageTopic(kafka.topics.prefix);
    await begin(target, { stream, topics: [...byTopic.keys()], messages }, beginning);
  });
}

async function requireEmpty(target: pg.ClientBase, tables: readonly MirrorTable[]): Promise<void> {
  for (const table of tables) {
    const [row] = await textRows(target, `select exists (select from ${mirrorName(table)})`);
    if (row?.[0] !== 't') continue;
    const problem = `is for a target that nothing was loaded into; ${mirrorName(table)} has rows`;
    throw new TandemError('CONFIG_INVALID', { setting: 'BACKFILL_FROM=log', problem });
  }
}

/** Debezium makes a table's topic with its first message, so an empty table need not have one. */
async function requireWhole(
  source: pg.ClientBase,
  byTopic: ReadonlyMap<string, MirrorTable>,
  { ends }: LogBeginning,
): Promise<void> {
  const missing: string[] = [];
  let isFilled = false;
  for (const [topic, table] of byTopic) {
    const first = partitionName(topic, 0);
    if (!ends.has(first) && (await hasRows(source, table))) missing.push(topic);
    for (let partition = 0; ends.has(partitionName(topic, partition)); partition++) {
      const { low = 0n, high = 0n } = ends.get(partitionName(topic, partition)) ?? {};
      if (low > 0n) throw notWhole({ topic, partition, first: low });
      isFilled ||= high > 0n;
    }
  }
  if (missing.length > 0) throw notWhole({ topics: missing.join(', '), reason: 'not there' });
  if (!isFilled) throw notWhole({ reason: 'no topic of a table holds a message' });
}

const notWhole = (details: Readonly<Record<string, string | number | bigint>>) =>
  new TandemError('LOG_NOT_WHOLE', details);

async function hasRows(source: pg.ClientBase, table: MirrorTable): Promise<boolean> {
  try {
    const [row] = await textRows(source, `select exists (select from ${sourceName(table)})`);
    return row?.[0] === 't';
  } catch (error) {
    throw statementError('source', error, `look into ${table.name}`);
  }
}

type Place = {
  readonly stream: string;
  readonly topics: readonly string[];
  readonly messages: string;
};

/** From here on, what goes at the beginning of a topic is a loss, and told as one. */
async function begin(
  target: pg.ClientBase,
  { stream, topics, messages }: Place,
  beginning: LogBeginning,
): Promise<void> {
  const { ends, clusterId, snapshotAt } = beginning;
  await inTransaction(target, async () => {
    const point = formatLsn(snapshotAt ?? (0n as Lsn));
    const sql = `update tandem.position set consistent_point = $2, connector_began = $2
      where stream = $1`;
    await textRows(target, sql, [stream, point]);
    await setCluster(target, stream, clusterId);
    const seen = topics.flatMap((topic) =>
      [...beginningsOf(topic, beginning).keys()].map((partition) => {
        const end = ends.get(partitionName(topic, partition))?.high ?? 0n;
        return { topic, partition, end };
      }),
    );
    await noteEnds(target, stream, seen);
    await beginTopic(target, stream, messages, beginningsOf(messages, beginning));
  });
}
