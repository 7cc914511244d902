import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { jsonOf } from './json-text.ts';
import { operation, payment } from './legacy/money.ts';
import { instruction } from './legacy/orders.ts';
import { paymentNumber } from './numbers.ts';
import { paymentStatus } from './payment-status.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_payment` to `payments`: an amount a column, nothing recomputed. */
export const payments = entity({
  name: 'payment',
  target: 'payments',
  sums: {
    subtotal_amount: 'subtotal_price',
    additional_amount: 'additional_price',
    custom_amount: 'custom_price',
    tax_amount: 'tax_value',
    used_credit: 'used_credit',
    total_amount: 'total_price',
    paid_amount: 'paid_price',
  },
  from: payment
    .select(
      ...(['id', 'made_at', 'free', 'tax_rate', 'tax_value', 'paid_price'] as const),
      ...(['instruction_id', 'used_credit', 'canceled', 'paid', 'custom_price'] as const),
      ...(['subtotal_price', 'doctor_id', 'office_id', 'installments'] as const),
      ...(['additional_price', 'netsuite', 'total_price'] as const),
    )
    .with((on) => ({
      order: on.one('instruction_id', instruction.select('id', 'patient_id')),
      operations: on.many(operation.select('id', 'type', 'price', 'card_brand'), 'payment_id'),
    })),
  map(payment) {
    const issues: Issue[] = [];
    const usedCard = payment.operations.some((it) => emptyToNull(it.card_brand) !== null);
    return row(
      {
        id: ref('payment', payment.id),
        legacy_payment_id: payment.id,
        payment_number: paymentNumber(payment.id),
        order_id: ref('order', payment.instruction_id),
        doctor_id: ref('profile', payment.doctor_id),
        office_id: ref('office', payment.office_id),
        patient_id: ref('patient', payment.order?.patient_id ?? null),
        subtotal_amount: payment.subtotal_price,
        additional_amount: payment.additional_price,
        custom_amount: payment.custom_price,
        tax_rate: payment.tax_rate,
        tax_amount: payment.tax_value,
        used_credit: payment.used_credit,
        total_amount: payment.total_price,
        paid_amount: payment.paid_price,
        is_free: payment.free,
        is_paid: payment.paid,
        is_cancelled: payment.canceled,
        status: paymentStatus(payment),
        installments: jsonOf('installments', payment.installments, issues),
        netsuite: payment.netsuite,
        payment_method: usedCard ? 'card' : 'unknown',
        made_at: payment.made_at,
        legacy_data: '{}',
      },
      issues,
    );
  },
});
