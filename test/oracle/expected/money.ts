import type { ExpectedTable } from './table.ts';

const payments: ExpectedTable = {
  table: 'payments',
  targetOwned: ['currency'],
  legacyJson: ['installments'],
  sql: `
    with operations as (
      select payment_id, sum(price) filter (where type = 2) as refunded,
        bool_or(card_brand <> '') as by_card
      from dispatch_operation group by payment_id
    )
    select pg_temp.ref('payment', y.id) as id,
      y.id as legacy_payment_id,
      'PAY-' || pg_temp.padded(y.id) as payment_number,
      pg_temp.ref('order', y.instruction_id) as order_id,
      pg_temp.ref('commerce_order', y.order_id) as commerce_order_id,
      pg_temp.ref('profile', y.doctor_id) as doctor_id,
      pg_temp.ref('office', y.office_id) as office_id,
      pg_temp.ref('patient', i.patient_id) as patient_id,
      y.subtotal_price as subtotal_amount,
      y.additional_price as additional_amount,
      y.custom_price as custom_amount,
      y.tax_rate,
      y.tax_value as tax_amount,
      y.used_credit,
      y.total_price as total_amount,
      y.paid_price as paid_amount,
      y.free as is_free,
      y.paid as is_paid,
      y.canceled as is_cancelled,
      case
        when y.canceled then 'cancelled'
        when y.paid_price > 0 and o.refunded > 0 and o.refunded >= y.paid_price then 'refunded'
        when y.paid or y.free then 'completed'
        else 'pending'
      end as status,
      y.installments,
      y.netsuite,
      case when o.by_card then 'card' else 'unknown' end as payment_method,
      y.made_at::timestamptz as made_at,
      '{}' as legacy_data
    from dispatch_payment y
    left join dispatch_instruction i on i.id = y.instruction_id
    left join operations o on o.payment_id = y.id`,
};

export const MONEY: readonly ExpectedTable[] = [payments];
