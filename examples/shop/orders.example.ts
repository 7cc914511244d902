import assert from 'node:assert/strict';
import { ref, row } from '../../core/outcome.ts';
import { orders } from './orders.ts';

const order = {
  id: 7,
  number: '2024-007',
  status: 9,
  shipping: '4.90',
  placed_at: '2024-03-01 10:00:00+00',
  customer_id: 1,
  customer: { id: 1, is_test: false },
  items: [
    { id: 1, quantity: 3, unit_price: '24.90' },
    { id: 2, quantity: 1, unit_price: '-0.05' },
  ],
};

assert.deepEqual(
  orders.map(order as never),
  row(
    {
      id: ref('order', 7),
      number: '2024-007',
      customer_id: ref('customer', 1),
      status_id: ref('order_status', 'unknown'),
      legacy_status: 9,
      total_cents: 7955n,
      placed_at: '2024-03-01 10:00:00+00',
    },
    [{ column: 'status', reason: 'code 9 has no name', shared: true }],
  ),
);
