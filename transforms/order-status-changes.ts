import { journal } from '../core/entity.ts';
import { excluded, ref, row } from '../core/outcome.ts';
import { formatLsn } from '../core/version.ts';
import { decode, instructionStatus } from './codes.ts';
import { instruction } from './legacy/orders.ts';
import { orderStateOf } from './order-status.ts';
import { interval } from './times.ts';

/**
 * Changes of `dispatch_instruction.status` to `order_state_history`, origin observed_change: the
 * legacy system keeps no log of them, so each is written down as it is seen.
 */
export const orderStatusChanges = journal({
  name: 'order_status_change',
  target: 'order_state_history',
  from: instruction.select('id', 'status'),
  map({ before, after, version, at, previousAt }) {
    if (before.status === after.status) return excluded('status_unchanged');
    const commitLsn = formatLsn(version.commitLsn);
    const changeLsn = formatLsn(version.changeLsn);
    return row({
      id: ref('order_status_change', `${after.id}:${commitLsn}:${changeLsn}`),
      order_id: ref('order', after.id),
      from_state_id: orderStateOf(before.status),
      to_state_id: orderStateOf(after.status),
      from_status: decode(instructionStatus, before.status),
      to_status: decode(instructionStatus, after.status),
      changed_at: at,
      changed_by_id: null,
      duration_in_previous: interval(previousAt ?? null, at),
      origin: 'observed_change',
      legacy_state_id: null,
      source_commit_lsn: commitLsn,
      source_change_lsn: changeLsn,
    });
  },
});
