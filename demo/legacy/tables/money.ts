import { ODD_JSON_TEXTS } from '../json-texts.ts';
import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import { at } from '../world/ids.ts';
import type { World } from '../world/world.ts';

const ODD_PAYMENTS: readonly Overrides[] = [
  { instruction_id: null }, // T67
  { instruction_id: null, doctor_id: null, office_id: null },
  { total_price: '0.00', free: true, paid: true }, // T68
  { canceled: true, paid: true },
  { canceled: true, paid: false },
  { canceled: false, paid: false, free: false },
  { total_price: '0.1', paid_price: '0.2', subtotal_price: '0.3' }, // T70
  { total_price: '1234567.123456789012345678901234567890' },
  { total_price: '9007199254740993.01', paid_price: '9007199254740993.01' },
  { total_price: '-250.00', paid_price: '-250.00' },
  { additional_price: '0.000000000000000001', custom_price: '-0.005' },
  { tax_value: '33.333333333333333333', tax_rate: '8.3333' },
  { tax_rate: '100.5000' },
  { total_price: null, paid_price: null, subtotal_price: null, tax_value: null },
  { paid_price: '900.00', total_price: '1000.00' }, // T71
  { used_credit: '700.00', total_price: '500.00' },
  { netsuite: null, made_at: null },
  { made_at: '2018-11-04 06:30:00.000001+00' }, // T90
  { order_id: 1, instruction_id: null },
  ...ODD_JSON_TEXTS.map((installments) => ({ installments })), // T69
];

const INSTALLMENTS =
  '[{"due": "2025-01-15", "price": 333.33}, {"due": "2025-02-15", "price": 333.34}]';

function amounts(random: Random): { row: Row; total: number } {
  const charged = random.chance(0.23);
  const subtotal = charged ? random.pick([750, 850, 1495, 1695, 350, 990]) : 0;
  const taxRate = random.pick([0, 10, 10.25, 8.875, 7]);
  const cents = Math.round(subtotal * taxRate);
  const total = subtotal + cents / 100;
  const credit = charged && random.chance(0.04) ? 100 : 0;
  const row = {
    tax_rate: taxRate.toFixed(4),
    tax_value: (cents / 100).toFixed(2),
    paid_price: (total - credit).toFixed(2),
    used_credit: credit.toFixed(2),
    custom_price: random.chance(0.03) ? subtotal.toFixed(2) : null,
    subtotal_price: subtotal.toFixed(2),
    additional_price: random.chance(0.05) ? '25.00' : '0.00',
    total_price: total.toFixed(2),
  };
  return { row, total };
}

function* paymentRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_payment');
  const count = world.paymentIds.length;
  const odd = spread(ODD_PAYMENTS, count);
  const { instructions } = world.orders;
  for (let i = 0; i < count; i += 1) {
    const instruction = at(instructions, Math.floor((i / count) * instructions.length));
    const { row: prices, total } = amounts(random);
    const made = Math.min(NOW, instruction.submittedMs + random.next() * 20 * DAY_MS);
    const canceled = random.chance(0.008);
    const moved = (i < 100 && i % 10 === 4) || random.chance(0.01); // T20: the patient has another doctor today
    const row = {
      id: at(world.paymentIds, i),
      made_at: timestamp(made, random.int(0, 999)),
      free: total === 0 && random.chance(0.6),
      ...prices,
      instruction_id: random.chance(0.0003) ? null : instruction.id,
      canceled,
      paid: !canceled && !random.chance(0.002),
      doctor_id: moved ? random.pick(world.people.doctors).id : instruction.patient.doctorId,
      office_id: moved ? random.pick(world.offices).id : instruction.patient.officeId,
      order_id: null,
      installments: random.chance(0.97) ? random.pick(['', '[]']) : INSTALLMENTS,
      netsuite: random.chance(0.8),
    };
    yield withOverrides(row, odd(i));
  }
}

/** T72. Places are those of payments that have several operations. */
const ODD_OPERATIONS: readonly Overrides[] = [
  { type: null },
  { type: 2, price: '99999.99', sq_refund_id: 'refund-larger-than-payment' },
  { type: 2, price: '0.01' },
  { type: 9 },
  { price: '0.333333333333333333', made_at: null }, // T70
  { price: '-12.34' },
  { price: '123456789012345678.99' },
  { card_brand: '', card_bin: '', card_last: '' },
  { attempts: null, office_card: null },
];

function* operationRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_operation');
  const count = world.counts.dispatch_operation;
  const odd = spread(ODD_OPERATIONS, count);
  for (let i = 0; i < count; i += 1) {
    // Two operations in a row share a payment now and then: several for one payment.
    const place = Math.floor(((i - (i % 12 === 7 ? 1 : 0)) / count) * world.paymentIds.length);
    const refund = random.chance(0.002);
    const card = random.chance(0.85);
    const row = {
      id: i + 15,
      type: refund ? 2 : 1,
      made_at: timestamp(NOW - (1 - i / count) * 2000 * DAY_MS, random.int(0, 999)),
      price: `${random.pick([750, 850, 1495, 1695, 997])}.${random.pick(['00', '50', '25'])}`,
      sq_order_id: random.alphanumeric(32),
      sq_payment_id: random.alphanumeric(32),
      sq_refund_id: refund ? random.alphanumeric(32) : null,
      card_brand: card ? random.pick(['VISA', 'MASTERCARD', 'JCB', 'AMEX']) : null,
      card_bin: card ? String(random.int(400_000, 559_999)) : null,
      card_last: card ? String(random.int(0, 9999)).padStart(4, '0') : null,
      office_card: random.chance(0.6),
      payment_id: at(world.paymentIds, place),
      attempts: random.chance(0.9) ? 1 : random.int(2, 5),
    };
    yield withOverrides(row, odd(i));
  }
}

export function moneyTables(world: World): RowSource[] {
  return [
    { table: 'dispatch_payment', rows: paymentRows(world), total: world.paymentIds.length },
    {
      table: 'dispatch_operation',
      rows: operationRows(world),
      total: world.counts.dispatch_operation,
    },
  ];
}
