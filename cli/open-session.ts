import type { OpenLog } from '../connectors/kafka/open-log.ts';
import { withClient } from '../connectors/postgres/connection.ts';
import { withBoth } from '../connectors/postgres/pair.ts';
import { PostgresSource } from '../connectors/postgres/replication-source.ts';
import type { Applier } from '../consumers/apply.ts';
import { LogProgress } from '../consumers/log-progress.ts';
import { joinLog, takeOver, type StoredPosition } from '../consumers/position.ts';
import type { Session } from '../consumers/stream.ts';
import { noteCluster, positionsOf } from '../consumers/topic-positions.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { ChangeSource } from '../core/ports.ts';
import type { Lsn } from '../core/version.ts';
import type { EngineContext } from './engine.ts';
import type { LogCapture } from './log-capture.ts';
import { findPosition, requireNoReader } from './stream-entry.ts';

export type OpenApplier = {
  readonly applier: Applier;
  readonly epoch: bigint;
  readonly close: () => Promise<void>;
};

/** What a session of the stream is put together from. */
export type SessionParts = {
  readonly context: EngineContext;
  /** Their changes are taken. */
  readonly tables: readonly MirrorTable[];
  /** By table: changes that were committed before are left out. */
  readonly joinsAt: ReadonlyMap<string, Lsn>;
  readonly stored: StoredPosition;
  /** Now, by the source's clock, in ms since the epoch. */
  readonly sourceNow: () => number;
  readonly openApplier: (cursor: typeof takeOver) => Promise<OpenApplier>;
};

/** A session of the stream, and what goes on beside it until its signal aborts. */
type Opened = {
  readonly session: Session;
  readonly follow: (signal: AbortSignal) => Promise<void>;
};

const itself = (source: ChangeSource) => source;

/** The stream comes from the slot: whoever had it before is kept out. */
export async function openSlotSession(
  { context, tables, joinsAt, stored, openApplier }: SessionParts,
  onDescribed: () => void,
): Promise<Opened> {
  const { config, observer, clock, watch = itself } = context;
  await withClient(config.source, 'slot', (client) => requireNoReader(context, client));
  const { applier, close } = await openApplier(takeOver);
  try {
    // The process before may have moved it since, fed by another server even: judge what counts.
    if (applier.position !== stored.position) {
      await withBoth(config, 'position', (source, target) =>
        findPosition(context, { source, target }, 'slot'),
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  const source = new PostgresSource({
    database: config.source,
    slot: config.slot,
    publication: config.publication,
    tables,
    joinsAt,
    onDescribed,
    observer,
    clock,
    statusIntervalMs: config.statusSeconds * 1000,
  });
  const follow = () => Promise.resolve();
  return { session: { source: watch(source), applier, close }, follow };
}

/**
 * The stream comes through a log, which others may share.
 *
 * @param whole whether the log is the backfill, and is read from its beginning
 */
export async function openLogSession(
  { context, tables, joinsAt, stored, sourceNow, openApplier }: SessionParts,
  log: LogCapture,
  whole = false,
): Promise<Opened & Pick<OpenLog, 'ends'>> {
  const { config, observer, clock, watch = itself } = context;
  const { applier, epoch, close } = await openApplier(joinLog);
  const { source: from, target, stream, slot } = config;
  try {
    const opened = await log.open({
      whole,
      tables,
      joinsAt,
      stored,
      positions: positionsOf(target, stream),
      sawHeartbeat: (heartbeat) => progress.saw(heartbeat),
      observer,
      clock,
    });
    const { source, ends } = opened;
    const facts = { source: from, target, slot, stream, epoch, ends };
    const progress = new LogProgress({ ...facts, sourceNow, clock, observer });
    const closeAll = async () => {
      await opened.close();
      await close();
    };
    await withClient(target, 'position', (client) => noteCluster(client, stream, opened.clusterId));
    const session = { source: watch(source), applier, close: closeAll };
    return { session, ends, follow: (signal) => progress.run(signal) };
  } catch (error) {
    await close();
    throw error;
  }
}
