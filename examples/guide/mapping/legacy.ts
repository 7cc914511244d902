import { bool, date, int2, int4, numeric, text } from '../../../core/legacy-table.ts';
import { legacyTable } from '../../../core/shape.ts';

// Written once by `tandem init` from the catalogue of the source; it is yours now.
// Delete the tables and columns that no entity reads. A column marked neverRead never leaves the
// source: these were guessed from their names, so look through the others too.

/** not analyzed yet. */
export const billingCustomer = legacyTable('billing_customer', 'id', {
  id: int4,
  name: text,
  country: text.orNull,
  is_test: bool,
  api_token: text.neverRead, // likely a secret, by its name
});

/** not analyzed yet. */
export const billingInvoice = legacyTable('billing_invoice', 'id', {
  id: int4,
  number: text,
  status: int2,
  issued_on: date.orNull,
  notes: text,
  customer_id: int4,
});

/** not analyzed yet. */
export const billingLine = legacyTable('billing_line', 'id', {
  id: int4,
  position: int2,
  description: text,
  quantity: int4,
  unit_price: numeric,
  invoice_id: int4,
});
