import { table, type LegacyTable } from './definition.ts';

/**
 * Shop orders, payments and their movements.
 *
 * The specification infers `numeric(10,2)` for the amounts of payments and operations, and asks
 * for amounts with many decimals in them (T70). Both cannot be; here these amounts are plain
 * `numeric`, while credit, offers and the price of an instruction keep two decimals.
 */
export const MONEY: readonly LegacyTable[] = [
  table(
    'dispatch_order',
    `doctor_id integer null -> auth_user
     course_id integer null -> dispatch_course
     status integer null
     custom_price numeric null`,
  ),
  table(
    'dispatch_purchase',
    `quantity integer
     price numeric null
     order_id integer -> dispatch_order
     product_id integer -> dispatch_product
     used integer null
     description text null`,
  ),
  table(
    'dispatch_payment',
    `made_at timestamptz null
     free boolean
     tax_rate numeric(7,4) null
     tax_value numeric null
     paid_price numeric null
     instruction_id integer null -> dispatch_instruction
     used_credit numeric null
     canceled boolean
     paid boolean
     custom_price numeric null
     subtotal_price numeric null
     doctor_id integer null -> auth_user
     office_id integer null -> dispatch_office
     order_id integer null -> dispatch_order
     installments text null
     additional_price numeric null
     netsuite boolean null
     total_price numeric null`,
  ),
  table(
    'dispatch_operation',
    `type integer null
     made_at timestamptz null
     price numeric
     sq_order_id varchar(255) null
     sq_payment_id varchar(255) null
     sq_refund_id varchar(255) null
     card_brand varchar(255) null
     card_bin varchar(255) null
     card_last varchar(255) null
     office_card boolean null
     payment_id integer -> dispatch_payment
     attempts integer null`,
  ),
  table(
    'dispatch_ware',
    `payment_id integer -> dispatch_payment
     product_id integer null -> dispatch_product
     purchase_id integer null -> dispatch_purchase
     name varchar(255) null
     quantity integer null
     description text null
     free boolean null
     global_price numeric(10,2) null
     doctor_price numeric(10,2) null
     base_price numeric(10,2) null
     discount_percent integer null
     discount_value numeric(10,2) null
     discount_price numeric(10,2) null
     discount_reason varchar(255) null
     total_price numeric(10,2) null`,
  ),
];
