import { TandemError } from '../../core/errors.ts';
import type { MirrorTable } from '../../core/mirror-table.ts';
import { formatLsn, type Lsn } from '../../core/version.ts';
import { textRows, withClient, type Database } from './connection.ts';
import { requirePublished } from './publication-watch.ts';
import { readSourceTypes, type SourceTypes } from './pgoutput/source-types.ts';
import { slotError } from './replication-errors.ts';
import { readSlot } from './slot.ts';

/** What has to be known of the source before its stream can be read. */
type StreamStart = {
  readonly serverVersion: number;
  /** `wal_sender_timeout`; 0 where the server never gives up. */
  readonly serverTimeoutMs: number;
  readonly types: SourceTypes;
};

/**
 * Reads the source's settings and types, and refuses a slot or publication that cannot carry the
 * stream on.
 *
 * @throws TandemError `SLOT_MISSING`, `SLOT_LOST`, `SLOT_IN_USE`; `SLOT_AHEAD` where the slot is past
 *   `after` (the server would silently start there); `NOT_SET_UP`, `TABLE_UNPUBLISHED` where the
 *   publication leaves out what is mapped (the server would silently send nothing)
 */
export async function prepareStream(
  database: Database,
  stream: {
    readonly slot: string;
    readonly publication: string;
    readonly tables: readonly MirrorTable[];
    readonly after: Lsn;
  },
): Promise<StreamStart> {
  const { slot: name, tables, after } = stream;
  return await withClient(database, 'stream start', async (client) => {
    const slot = await readSlot(client, name);
    const failure = slotError(slot);
    if (failure !== null) throw failure;
    const confirmed = slot.exists ? slot.confirmedFlushLsn : null;
    if (confirmed !== null && confirmed > after) {
      throw new TandemError('SLOT_AHEAD', {
        slot: name,
        position: formatLsn(after),
        confirmed: formatLsn(confirmed),
      });
    }
    await requirePublished(client, stream);
    const [settings = []] = await textRows(
      client,
      `select current_setting('server_version_num'),
         (select setting from pg_settings where name = 'wal_sender_timeout')`,
    );
    return {
      serverVersion: Number(settings[0]),
      serverTimeoutMs: Number(settings[1]),
      types: await readSourceTypes(client, tables),
    };
  });
}
