import { entity } from '../../../core/entity.ts';
import { type Issue, excluded, ref, rejected, row } from '../../../core/outcome.ts';
import { billingCustomer, billingInvoice, billingLine } from './legacy.ts';
import { amountOf, decimal, statusOf } from './values.ts';

/** `billing_invoice` with its customer, its lines and the invoice before it, to `invoices`. */
export const invoices = entity({
  name: 'invoice',
  target: 'invoices',
  from: billingInvoice.select('number', 'status', 'issued_on', 'customer_id').with((on) => ({
    customer: on.one('customer_id', billingCustomer.select('is_test')),
    lines: on.many(billingLine.select('quantity', 'unit_price'), 'invoice_id'),
    before: on.previous(billingInvoice.select(), 'customer_id', ['issued_on']),
  })),
  map(invoice) {
    if (invoice.customer?.is_test === true) return excluded('test_account');
    if (invoice.number === '') return rejected('number is empty');
    const issues: Issue[] = [];
    const total = invoice.lines.reduce((sum, line) => sum + amountOf(line), 0n);
    return row(
      {
        id: ref('invoice', invoice.id),
        number: invoice.number,
        customer_id: ref('customer', invoice.customer_id),
        previous_invoice_id: ref('invoice', invoice.before?.id ?? null),
        status: statusOf(invoice.status, issues),
        status_code: invoice.status,
        issued_on: invoice.issued_on,
        total: decimal(total),
      },
      issues,
    );
  },
});
