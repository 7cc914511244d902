import type { LogSight } from '../connectors/kafka/log-sight.ts';
import type { LogPositions } from '../connectors/kafka/log-position.ts';
import type { OpenLog } from '../connectors/kafka/open-log.ts';
import type { StoredPosition } from '../consumers/position.ts';
import type { MirrorTable } from '../core/mirror-table.ts';
import type { Clock, Heartbeat, Observer } from '../core/ports.ts';
import type { Lsn } from '../core/version.ts';

/** Brings the stream where it does not come from the slot: from a log that is written from it. */
export type LogCapture = {
  /**
   * Connects to the log.
   *
   * @throws TandemError `KAFKA_UNREACHABLE`, `KAFKA_REFUSED`, and where the log is not the one that
   *   the target was fed from
   */
  open(options: LogSessionOptions): Promise<OpenLog>;

  /** What the log begins with, and how far it goes, of the topics of these tables. */
  beginning(tables: readonly MirrorTable[]): Promise<LogBeginning>;

  /** What the log holds of these topics now. */
  look(topics: readonly string[]): Promise<LogSight>;
};

export type LogBeginning = LogSight & {
  /** Where a snapshot was taken that it begins with: the first, where there are several; null: none. */
  readonly snapshotAt: Lsn | null;
};

export type LogSessionOptions = {
  /** All topics are read, whatever share of them is this process's. Default: its share. */
  readonly whole?: boolean;
  /** Their changes are taken. */
  readonly tables: readonly MirrorTable[];
  /** By table: changes that were committed before are left out. */
  readonly joinsAt: ReadonlyMap<string, Lsn>;
  readonly stored: StoredPosition;
  readonly positions: LogPositions;
  readonly sawHeartbeat: (heartbeat: Heartbeat) => void;
  readonly observer: Observer;
  readonly clock: Clock;
};
