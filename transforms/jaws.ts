import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { jawReason, labelOf } from './codes.ts';
import { instruction, jaw } from './legacy/orders.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_jaw` to `jaws`. The orders that name a jaw say which of the two it is. */
export const jaws = entity({
  name: 'jaw',
  target: 'jaws',
  from: jaw.select('id', 'bond_teeth', 'extract_teeth', 'reason', 'labial').with((on) => ({
    asUpper: on.many(instruction.select('id'), 'upper_jaw_id'),
    asLower: on.many(instruction.select('id'), 'lower_jaw_id'),
  })),
  map(jaw) {
    const issues: Issue[] = [];
    const [upper, lower] = [jaw.asUpper[0]?.id ?? null, jaw.asLower[0]?.id ?? null];
    const isBoth = upper !== null && lower !== null;
    return row(
      {
        id: ref('jaw', jaw.id),
        legacy_jaw_id: jaw.id,
        // Where several orders name it, the one with the smallest id.
        order_id: ref('order', isBoth ? Math.min(upper, lower) : (upper ?? lower)),
        jaw_type: isBoth ? 'both' : upper !== null ? 'upper' : lower !== null ? 'lower' : 'unknown',
        labial: jaw.labial,
        // Text: the zeros in front count, one character per tooth.
        bond_teeth: emptyToNull(jaw.bond_teeth),
        extract_teeth: emptyToNull(jaw.extract_teeth),
        reason_code: jaw.reason,
        replacement_reason: labelOf(jawReason, jaw.reason, issues),
        legacy_data: '{}',
      },
      issues,
    );
  },
});
