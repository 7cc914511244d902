import assert from 'node:assert/strict';
import { ref, row } from '../../core/outcome.ts';
import { invoices } from './mapping/invoices.ts';

const invoice = {
  id: 7,
  number: '2024-007',
  status: 9,
  issued_on: '2024-03-01',
  customer_id: 1,
  customer: { id: 1, is_test: false },
  lines: [
    { id: 1, quantity: 3, unit_price: '24.90' },
    { id: 2, quantity: 1, unit_price: '-0.05' },
  ],
  before: null,
};

assert.deepEqual(
  invoices.map(invoice as never),
  row(
    {
      id: ref('invoice', 7),
      number: '2024-007',
      customer_id: ref('customer', 1),
      previous_invoice_id: null,
      status: 'unknown',
      status_code: 9,
      issued_on: '2024-03-01',
      total: '74.65',
    },
    [{ column: 'status', reason: 'code 9 has no label', shared: true }],
  ),
);
