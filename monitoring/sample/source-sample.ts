import type pg from 'pg';
import { textRows } from '../../connectors/postgres/connection.ts';
import { readSlot, type NoSlot, type SlotState } from '../../connectors/postgres/slot.ts';
import { clockAheadMs } from '../../connectors/postgres/source-clock.ts';
import { walEnd } from '../../connectors/postgres/wal-position.ts';
import type { Clock } from '../../core/ports.ts';
import type { Lsn } from '../../core/version.ts';

/** What the source says at one moment. */
export type SourceSample = {
  readonly end: Lsn;
  /** How far its clock is ahead of ours. */
  readonly clockAheadMs: number;
  readonly slot: SlotState | NoSlot;
  /** `max_slot_wal_keep_size`; null where there is no limit, or the server knows none (before 13). */
  readonly budgetBytes: number | null;
};

export async function sampleSource(
  client: pg.ClientBase,
  slot: string,
  clock: Pick<Clock, 'now'>,
): Promise<SourceSample> {
  const [limit] = await textRows(
    client,
    `select setting from pg_settings where name = 'max_slot_wal_keep_size' and setting::bigint >= 0`,
  );
  return {
    end: await walEnd(client),
    clockAheadMs: await clockAheadMs(client, clock),
    slot: await readSlot(client, slot),
    budgetBytes: limit === undefined ? null : Number(limit[0]) * 1024 * 1024,
  };
}
