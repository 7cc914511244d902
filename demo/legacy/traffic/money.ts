import type { Row } from '../load/row.ts';
import type { Session } from './session.ts';

function newPayment(session: Session, instructionId: number): Row {
  const { random, rows } = session;
  const price = `${random.pick([750, 850, 1495, 1695])}.${random.pick(['00', '50', '255'])}`;
  return {
    made_at: null,
    free: false,
    tax_rate: '10.2500',
    tax_value: '0.00',
    paid_price: '0.00',
    instruction_id: instructionId,
    used_credit: '0.00',
    canceled: false,
    paid: false,
    custom_price: null,
    subtotal_price: price,
    doctor_id: rows.doctors.pick(random) ?? null,
    office_id: rows.offices.pick(random) ?? null,
    order_id: null,
    installments: '',
    additional_price: '0.00',
    netsuite: false,
    total_price: price,
  };
}

function newOperation(session: Session, paymentId: number, price: string): Row {
  const { random } = session;
  return {
    type: 1,
    made_at: session.now(),
    price,
    sq_order_id: random.alphanumeric(32),
    sq_payment_id: null,
    sq_refund_id: null,
    card_brand: 'VISA',
    card_bin: String(random.int(400_000, 499_999)),
    card_last: String(random.int(1000, 9999)),
    office_card: random.chance(0.6),
    payment_id: paymentId,
    attempts: 0,
  };
}

/** T73: the operation is tried again and again, and the payment follows, in one transaction. */
export async function pay(session: Session): Promise<void> {
  const { random, rows } = session;
  const instructionId = rows.instructions.pick(random);
  if (instructionId === undefined) return;
  const payment = newPayment(session, instructionId);
  const price = String(payment['total_price']);
  await session.transaction(async (tx) => {
    const id = await tx.insert('dispatch_payment', payment);
    const operationId = await tx.insert('dispatch_operation', newOperation(session, id, price));
    for (let attempt = 1; attempt <= random.int(1, 4); attempt += 1) {
      await tx.update('dispatch_operation', operationId, { attempts: attempt });
      await tx.update('dispatch_payment', id, { made_at: session.now() });
    }
    const paidBy = random.alphanumeric(32);
    await tx.update('dispatch_operation', operationId, { sq_payment_id: paidBy });
    await tx.update('dispatch_payment', id, { paid: true, paid_price: price });
    rows.payments.add(id);
  });
  session.hit('T73');
}

export async function editPayment(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.payments.pick(random);
  if (id === undefined) return;
  const set = random.pick<Row>([
    { netsuite: true },
    { canceled: true },
    { free: true, total_price: '0.00' },
    { additional_price: '12.345678', custom_price: null },
    { installments: '[{"due": "2026-01-15", "price": 333.33}]' },
  ]);
  await session.transaction((tx) => tx.update('dispatch_payment', id, set));
}

export async function refund(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.payments.pick(random);
  if (id === undefined) return;
  const row = newOperation(session, id, random.pick(['10.00', '850.00', '2000.00']));
  const refunded = { ...row, type: 2, sq_refund_id: random.alphanumeric(32), attempts: 1 };
  await session.transaction((tx) => tx.insert('dispatch_operation', refunded));
  session.hit('T72');
}
