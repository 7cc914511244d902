import { entity } from '../../../core/entity.ts';
import { excluded, ref, row } from '../../../core/outcome.ts';
import { billingCustomer, billingInvoice } from './legacy.ts';

/** `billing_customer` to `customers`, without the accounts that were made for tests. */
export const customers = entity({
  name: 'customer',
  target: 'customers',
  from: billingCustomer.select('name', 'country', 'is_test').with((on) => ({
    hasInvoices: on.exists(billingInvoice, 'customer_id'),
  })),
  map(customer) {
    if (customer.is_test) return excluded('test_account');
    return row({
      id: ref('customer', customer.id),
      name: customer.name,
      country: customer.country,
      has_invoices: customer.hasInvoices,
    });
  },
});
