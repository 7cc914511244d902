import { journal, type Mapping } from '../../core/entity.ts';
import { excluded, ref, row } from '../../core/outcome.ts';
import { formatLsn } from '../../core/version.ts';
import { shopOrder } from './legacy.ts';
import shop from './mapping.ts';
import { statusOf } from './values.ts';

/** The legacy shop overwrites an order's status: each change is noted as it is seen. */
const statusChanges = journal({
  name: 'order_status_change',
  target: 'order_status_changes',
  from: shopOrder.select('status'),
  map({ before, after, version, at }) {
    if (before.status === after.status) return excluded('status_unchanged');
    const place = `${formatLsn(version.commitLsn)}:${formatLsn(version.changeLsn)}`;
    return row({
      id: ref('order_status_change', `${after.id}:${place}`),
      order_id: ref('order', after.id),
      from_status_id: ref('order_status', statusOf(before.status)),
      to_status_id: ref('order_status', statusOf(after.status)),
      changed_at: at,
    });
  },
});

const mapping: Mapping = { ...shop, entities: [...shop.entities, statusChanges] };

export default mapping;
