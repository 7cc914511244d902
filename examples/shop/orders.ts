import { entity } from '../../core/entity.ts';
import { type Issue, excluded, ref, rejected, row } from '../../core/outcome.ts';
import { shopCustomer, shopOrder, shopOrderitem } from './legacy.ts';
import { cents, statusOf } from './values.ts';

const customer = shopCustomer.select('is_test');
const orderOf = shopOrder.select().with((on) => ({ customer: on.one('customer_id', customer) }));

/** `shop_order` with its customer and its items, to `orders`. */
export const orders = entity({
  name: 'order',
  target: 'orders',
  from: shopOrder.select('number', 'status', 'shipping', 'placed_at', 'customer_id').with((on) => ({
    customer: on.one('customer_id', customer),
    items: on.many(shopOrderitem.select('quantity', 'unit_price'), 'order_id'),
  })),
  map(order) {
    if (order.customer?.is_test) return excluded('test_customer');
    if (order.number === '') return rejected('number is empty');
    const issues: Issue[] = [];
    const prices = order.items.map((item) => BigInt(item.quantity) * cents(item.unit_price));
    const columns = {
      id: ref('order', order.id),
      number: order.number,
      customer_id: ref('customer', order.customer_id),
      status_id: ref('order_status', statusOf(order.status, issues)),
      legacy_status: order.status,
      total_cents: prices.reduce((sum, price) => sum + price, cents(order.shipping)),
      placed_at: order.placed_at,
    };
    return row(columns, issues);
  },
});

/** `shop_orderitem` to `order_lines`. Without its order a line is held. */
export const orderLines = entity({
  name: 'order_line',
  target: 'order_lines',
  from: shopOrderitem.select('quantity', 'unit_price', 'order_id', 'product_id').with((on) => ({
    order: on.one('order_id', orderOf),
  })),
  map(item) {
    // Its order never comes: without this the line would be held for ever.
    if (item.order?.customer?.is_test) return excluded('test_customer');
    return row({
      id: ref('order_line', item.id),
      order_id: ref('order', item.order_id),
      product_id: ref('product', item.product_id),
      quantity: item.quantity,
      unit_price_cents: cents(item.unit_price),
    });
  },
});
