import { beginningsOf, lostTopics } from '../connectors/kafka/log-sight.ts';
import { messageTopic, tableTopics } from '../core/topic-name.ts';
import { statementError, textRows, withClient } from '../connectors/postgres/connection.ts';
import { inTransaction } from '../connectors/postgres/transaction.ts';
import { readTableRecords, readTablesDigest, readAnew } from '../consumers/table-state.ts';
import { beginTopic, readPositions, setCluster } from '../consumers/topic-positions.ts';
import type { TandemError } from '../core/errors.ts';
import { type ErrorCode } from '../core/errors.ts';
import { capturedTables } from './connector/wanted-config.ts';
import type { EngineContext } from './engine.ts';
import type { Settled } from './settle.ts';

const LOSSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'LOG_EXPIRED',
  'LOG_RECREATED',
  'TOPIC_MISSING',
]);

/**
 * Where a log has lost what the target has not had: sets the tables concerned aside to be read again
 * beside the stream, and goes on at what the log holds now. What it has lost was committed before
 * that reading begins, so it is in what is read.
 *
 * Only where it is allowed: ON_LOG_LOSS=reread, or --reread-log of this run. Another cluster only by
 * the latter, for it may be a wrong address, into which nobody writes.
 *
 * @returns false: nothing was done, and the failure stands
 */
export async function healLog(
  context: EngineContext,
  settled: Settled,
  error: TandemError,
): Promise<boolean> {
  const { config, log, mapping, observer } = context;
  if (log === undefined || config.kafka === null || !LOSSES.has(error.code)) return false;
  const { topics } = config.kafka;
  const byTopic = tableTopics(topics.prefix, capturedTables(mapping));
  const heartbeats = messageTopic(topics.prefix);
  const all = [...byTopic.keys(), heartbeats];
  const sight = await log.look(all);
  return await withClient(config.target, 'log loss', async (target) => {
    const work = async () => {
      // Whoever writes holds a share of it: positions and tables stand still from here on.
      const lock = 'select from tandem.position where stream = $1 for update';
      await textRows(target, lock, [config.stream]);
      if ((await readTablesDigest(target)) !== settled.digest) return true; // another process was faster
      const stored = await readPositions(target, config.stream);
      const lost = new Set([...lostTopics(all, stored, sight), ...named(error, all)]);
      if (lost.size === 0) return false;
      const isElsewhere = stored.clusterId !== null && stored.clusterId !== sight.clusterId;
      const isHarmless = lost.size === 1 && lost.has(heartbeats);
      if (!isHarmless && !mayHeal(context, isElsewhere)) return false;
      const tables = await setAside(
        target,
        [...lost].flatMap((it) => byTopic.get(it) ?? []),
      );
      for (const topic of lost)
        await beginTopic(target, config.stream, topic, beginningsOf(topic, sight));
      if (isElsewhere) await setCluster(target, config.stream, sight.clusterId);
      const facts = { code: error.code, topics: [...lost].join(' '), tables: tables.join(' ') };
      observer.event('log lost', { ...facts, then: 'read again beside the stream' }, 'warn');
      return true;
    };
    try {
      return await inTransaction(target, work);
    } catch (failure) {
      throw statementError('target', failure, 'log loss');
    }
  });
}

const mayHeal = ({ config, rereadLog = false }: EngineContext, isElsewhere: boolean): boolean =>
  rereadLog || (config.kafka?.onLogLoss === 'reread' && !isElsewhere);

/** The topics that the failure names: not every loss can be seen from where a log begins and ends. */
function named({ details }: TandemError, all: readonly string[]): readonly string[] {
  const names = `${details['topic'] ?? ''}, ${details['topics'] ?? ''}`.split(', ');
  return all.filter((topic) => names.includes(topic));
}

/** Those whose changes are taken; a table that is stopped is read again when it is mended. */
async function setAside(
  target: Parameters<typeof readTableRecords>[0],
  tables: readonly { readonly name: string }[],
): Promise<readonly string[]> {
  const records = await readTableRecords(target);
  const names = tables
    .map(({ name }) => name)
    .filter((name) => ['active', 'joining'].includes(records.get(name)?.state ?? ''));
  for (const name of names) await readAnew(target, name, 'joining');
  return names;
}
