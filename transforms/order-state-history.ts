import { entity } from '../core/entity.ts';
import { ref, row } from '../core/outcome.ts';
import { state } from './legacy/orders.ts';
import { logStateOf, STATUS_OF_LOG_ENTRY } from './order-status.ts';
import { interval } from './times.ts';

/**
 * `dispatch_state` to `order_state_history`, origin state_log: every entry with the one before it
 * in its order. An entry that arrives late changes itself and its successor.
 */
export const orderStateHistory = entity({
  name: 'order_state_entry',
  target: 'order_state_history',
  from: state
    .select('id', 'status', 'on', 'changed_at', 'actor_id', 'instruction_id')
    .with((on) => ({
      before: on.previous(state.select('id', 'status', 'on', 'changed_at'), 'instruction_id', [
        'changed_at',
      ]),
    })),
  map: (entry) =>
    row({
      id: ref('order_state_entry', entry.id),
      order_id: ref('order', entry.instruction_id),
      // A switch that is off is no state.
      from_state_id: entry.before?.on === true ? logStateOf(entry.before.status) : null,
      to_state_id: entry.on === true ? logStateOf(entry.status) : null,
      from_status: entry.before === null ? null : STATUS_OF_LOG_ENTRY,
      to_status: STATUS_OF_LOG_ENTRY,
      changed_at: entry.changed_at,
      changed_by_id: ref('profile', entry.actor_id),
      duration_in_previous: interval(entry.before?.changed_at ?? null, entry.changed_at),
      origin: 'state_log',
      legacy_state_id: entry.id,
      source_commit_lsn: null,
      source_change_lsn: null,
    }),
});
