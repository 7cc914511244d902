import { bool, int4, numeric, text, timestamptz } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** An order of the shop for merchandise, with an id space of its own. */
export const shopOrder = legacyTable('dispatch_order', 'id', {
  id: int4,
  doctor_id: int4.orNull,
  course_id: int4.orNull,
  status: int4.orNull,
  custom_price: numeric.orNull,
});

/** The bill of an instruction or of a shop order. */
export const payment = legacyTable('dispatch_payment', 'id', {
  id: int4,
  made_at: timestamptz.orNull,
  free: bool.orNull,
  tax_rate: numeric.orNull,
  tax_value: numeric.orNull,
  paid_price: numeric.orNull,
  instruction_id: int4.orNull,
  used_credit: numeric.orNull,
  canceled: bool.orNull,
  paid: bool.orNull,
  custom_price: numeric.orNull,
  subtotal_price: numeric.orNull,
  doctor_id: int4.orNull,
  office_id: int4.orNull,
  order_id: int4.orNull,
  installments: text.orNull,
  additional_price: numeric.orNull,
  netsuite: bool.orNull,
  total_price: numeric.orNull,
});

/** A movement of money: a payment or a refund. */
export const operation = legacyTable('dispatch_operation', 'id', {
  id: int4,
  type: int4.orNull,
  made_at: timestamptz.orNull,
  price: numeric.orNull,
  sq_order_id: text.orNull,
  sq_payment_id: text.orNull,
  sq_refund_id: text.orNull,
  card_brand: text.orNull,
  card_bin: text.neverRead,
  card_last: text.neverRead,
  office_card: bool.orNull,
  payment_id: int4,
  attempts: int4.orNull,
});
