import type pg from 'pg';
import { statementError, textRows } from './connection.ts';

/** The session that reads a slot. */
export type SlotReader = {
  readonly pid: number;
  /** What it calls itself: `tandem stream`, `Debezium Streaming`; null where we may not see it. */
  readonly application: string | null;
};

/** Who reads the slot now; null: nobody, or there is no such slot. */
export async function readSlotReader(
  client: pg.ClientBase,
  slot: string,
): Promise<SlotReader | null> {
  try {
    const [row] = await textRows(
      client,
      `select s.active_pid, nullif(a.application_name, '')
       from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid
       where s.slot_name = $1 and s.active_pid is not null`,
      [slot],
    );
    return row === undefined ? null : { pid: Number(row[0]), application: row[1] ?? null };
  } catch (error) {
    throw statementError('source', error, 'read slot');
  }
}

/** `Debezium Streaming, process 4711`. */
export function readerText({ pid, application }: SlotReader): string {
  return `${application ?? 'somebody'}, process ${pid}`;
}
