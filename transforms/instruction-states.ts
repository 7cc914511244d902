import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { labelOf, stateStatus } from './codes.ts';
import { state } from './legacy/orders.ts';

/** `dispatch_state` to `instruction_states`: the log as it is, uninterpreted. */
export const instructionStates = entity({
  name: 'instruction_state',
  target: 'instruction_states',
  from: state.select('id', 'status', 'on', 'changed_at', 'actor_id', 'instruction_id'),
  map(entry) {
    const issues: Issue[] = [];
    return row(
      {
        id: ref('instruction_state', entry.id),
        legacy_state_id: entry.id,
        order_id: ref('order', entry.instruction_id),
        status_code: entry.status,
        status_label: labelOf(stateStatus, entry.status, issues),
        is_on: entry.on ?? false,
        changed_at: entry.changed_at,
        changed_by_id: ref('profile', entry.actor_id),
        legacy_data: '{}',
      },
      issues,
    );
  },
});
