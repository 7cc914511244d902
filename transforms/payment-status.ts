import { labelOf, operationType } from './codes.ts';
import { compareDecimals, isAboveZero, parseDecimal, sumOf } from './decimal.ts';

type Payment = {
  readonly canceled: boolean | null;
  readonly free: boolean | null;
  readonly paid: boolean | null;
  readonly paid_price: string | null;
  readonly operations: readonly { readonly type: number | null; readonly price: string | null }[];
};

/** Whether the refunds of a payment give back what was paid. */
function isRefunded(payment: Payment): boolean {
  if (payment.paid_price === null) return false;
  const paid = parseDecimal(payment.paid_price);
  const refunds = payment.operations.filter((it) => labelOf(operationType, it.type) === 'refund');
  const refunded = sumOf(refunds.map((refund) => refund.price));
  return isAboveZero(paid) && isAboveZero(refunded) && compareDecimals(refunded, paid) >= 0;
}

/** Cancelled, refunded, completed (paid, or free) or pending; the first that holds. */
export function paymentStatus(payment: Payment): string {
  if (payment.canceled === true) return 'cancelled';
  if (isRefunded(payment)) return 'refunded';
  return payment.paid === true || payment.free === true ? 'completed' : 'pending';
}
