import { entity } from '../../core/entity.ts';
import { excluded, ref, row } from '../../core/outcome.ts';
import { djangoContentType, shopCustomer, shopNote, shopOrder } from './legacy.ts';

const person = shopCustomer.select('is_test');
const order = shopOrder.select().with((on) => ({ customer: on.one('customer_id', person) }));

/** `shop_customer` to `customers`, without the accounts that were made for tests. */
export const customers = entity({
  name: 'customer',
  target: 'customers',
  from: shopCustomer.select('email', 'name', 'is_test', 'referred_by_id').with((on) => ({
    referrer: on.one('referred_by_id', person),
    hasOrdered: on.exists(shopOrder, 'customer_id'),
  })),
  map(customer) {
    if (customer.is_test) return excluded('test_customer');
    return row({
      id: ref('customer', customer.id),
      email: customer.email.toLowerCase(),
      name: customer.name,
      referrer_id: customer.referrer?.is_test ? null : ref('customer', customer.referred_by_id),
      has_ordered: customer.hasOrdered,
    });
  },
});

/** `shop_note`, about a customer or an order, to `notes`. */
export const notes = entity({
  name: 'note',
  target: 'notes',
  from: shopNote.select('text', 'written_at').with((on) => ({
    about: on.generic(
      { type: 'content_type_id', id: 'object_id', types: djangoContentType },
      { 'shop.customer': person, 'shop.order': order },
    ),
  })),
  map({ id, text, written_at, about }) {
    if (about.model === null) return excluded('about_something_else');
    if (about.row === null) return excluded('subject_is_gone');
    const isOrder = about.model === 'shop.order';
    const customer = isOrder ? about.row.customer : about.row;
    if (customer?.is_test) return excluded('test_customer');
    return row({
      id: ref('note', id),
      customer_id: ref('customer', customer?.id ?? null),
      order_id: isOrder ? ref('order', about.id) : null,
      body: text,
      written_at,
    });
  },
});
