import { entity } from '../../../core/entity.ts';
import { excluded, ref, row } from '../../../core/outcome.ts';
import { billingCustomer, billingInvoice, billingLine } from './legacy.ts';
import { amountOf, decimal } from './values.ts';

/** `billing_line` to `invoice_lines`. Without its invoice a line is held. */
export const lines = entity({
  name: 'invoice_line',
  target: 'invoice_lines',
  from: billingLine
    .select('position', 'description', 'quantity', 'unit_price', 'invoice_id')
    .with((on) => ({
      invoice: on.one(
        'invoice_id',
        billingInvoice.select('customer_id').with((on) => ({
          customer: on.one('customer_id', billingCustomer.select('is_test')),
        })),
      ),
    })),
  map(line) {
    // Its invoice never comes: without this the line would be held for ever.
    if (line.invoice?.customer?.is_test === true) return excluded('test_account');
    return row({
      id: ref('invoice_line', line.id),
      invoice_id: ref('invoice', line.invoice_id),
      position: line.position,
      description: line.description,
      amount: decimal(amountOf(line)),
    });
  },
});
