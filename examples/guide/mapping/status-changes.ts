import { journal } from '../../../core/entity.ts';
import { excluded, ref, row } from '../../../core/outcome.ts';
import { formatLsn } from '../../../core/version.ts';
import { billingInvoice } from './legacy.ts';
import { statusOf } from './values.ts';

/** The legacy system keeps no history of an invoice's status: every change is noted as it is seen. */
export const statusChanges = journal({
  name: 'invoice_status_change',
  target: 'invoice_status_changes',
  from: billingInvoice.select('status'),
  map({ before, after, version, at }) {
    if (before.status === after.status) return excluded('status_unchanged');
    const place = `${formatLsn(version.commitLsn)}:${formatLsn(version.changeLsn)}`;
    return row({
      id: ref('invoice_status_change', `${after.id}:${place}`),
      invoice_id: ref('invoice', after.id),
      from_status: statusOf(before.status),
      to_status: statusOf(after.status),
      changed_at: at,
    });
  },
});
