import type pg from 'pg';
import type { Clock } from '../../core/ports.ts';
import { textRows } from './connection.ts';

/** How far the source's clock is ahead of ours, to within half a round trip. */
export async function clockAheadMs(
  source: pg.ClientBase,
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  const before = clock.now();
  const [row] = await textRows(source, 'select extract(epoch from clock_timestamp()) * 1000');
  return Number(row?.[0] ?? before) - (before + clock.now()) / 2;
}
