import type pg from 'pg';
import { parseLsn, type Lsn } from '../../core/version.ts';
import { statementError, textRows } from './connection.ts';

/** Which server this is, and how far it has got. */
export type SourceIdentity = {
  /** Made by `initdb`; copies and standbys of a server share it. */
  readonly systemIdentifier: string;
  /** Grows with every promotion of a standby and every recovery to a point in time. */
  readonly timeline: number;
  /** `server_version_num`: 150018 is 15.18. */
  readonly serverVersion: number;
  readonly database: string;
  readonly isInRecovery: boolean;
  /** Up to where WAL is written, or, on a standby, replayed. */
  readonly walLsn: Lsn;
};

/**
 * `pg_control_system()` needs no privilege. The timeline comes from the name of the WAL file that
 * is being written: the control file shows the old one until the first checkpoint after a promotion.
 */
const IDENTIFY = `
  select system_identifier, current_setting('server_version_num'), current_database(),
    pg_is_in_recovery(),
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end,
    case when not pg_is_in_recovery()
      then left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end,
    (select timeline_id from pg_control_checkpoint())
  from pg_control_system()`;

/** Reads who the source is; works for a plain role. */
export async function identifySource(client: pg.ClientBase): Promise<SourceIdentity> {
  try {
    const [row = []] = await textRows(client, IDENTIFY);
    const [systemIdentifier, version, database, recovery, lsn, timelineHex, timeline] = row;
    return {
      systemIdentifier: systemIdentifier ?? '',
      timeline: timelineHex ? parseInt(timelineHex, 16) : Number(timeline),
      serverVersion: Number(version),
      database: database ?? '',
      isInRecovery: recovery === 't',
      walLsn: parseLsn(lsn ?? ''),
    };
  } catch (error) {
    throw statementError('source', error, 'identify source');
  }
}
