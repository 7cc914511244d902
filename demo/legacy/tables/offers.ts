import { date, DAY_MS, FIRST_BUSINESS_DAY } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { DELETED_PRODUCT_IDS, LIVE_PRODUCT_IDS } from '../reference-ids.ts';
import { at } from '../world/ids.ts';
import type { World } from '../world/world.ts';

/** T30. Users 1 and 4 of the staff are no detectable doctors. */
function oddOffers({ people }: World): Overrides[] {
  return [
    { doctor_id: null },
    { doctor_id: at(people.staff, 1).id },
    { doctor_id: at(people.staff, 4).id },
    { price_both: null, price_upper: null, price_lower: null },
    { price_both: '0.00', price_upper: '0.00', price_lower: '0.00' },
    { price_both: '1995.00' },
    { price_both: '-10.00' },
    { product_id: at(DELETED_PRODUCT_IDS, 0) }, // T28
  ];
}

/** T31. */
const ODD_DISCOUNTS: readonly Overrides[] = [
  { start: '2025-06-30', finish: '2025-01-01' },
  { used: 9, count: 3 },
  { percent: 100, reason: 'resident' },
  { percent: 13, reason: '' },
  { percent: null, count: null, used: null, total: null, reason: null },
];

function* offerRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_offer');
  const count = world.counts.dispatch_offer;
  const odd = spread(oddOffers(world), count);
  for (let i = 0; i < count; i += 1) {
    const both = random.pick([1695, 850, 750, 1495, 990, 350]);
    const doctor = random.chance(0.025)
      ? random.pick(world.people.staff)
      : random.pick(world.people.doctors);
    const row = {
      id: i + 3,
      price_both: `${both}.00`,
      price_upper: random.chance(0.1) ? null : (both * 0.55).toFixed(2),
      price_lower: random.chance(0.1) ? null : (both * 0.55).toFixed(2),
      doctor_id: doctor.id,
      product_id: random.chance(0.06)
        ? random.pick(DELETED_PRODUCT_IDS)
        : random.pick(LIVE_PRODUCT_IDS),
    };
    yield withOverrides(row, odd(i));
  }
}

function* discountRows({ random: root, counts }: World): Generator<Row> {
  const random = root.fork('dispatch_discount');
  const count = counts.dispatch_discount;
  const odd = spread(ODD_DISCOUNTS, count);
  for (let i = 0; i < count; i += 1) {
    const start = FIRST_BUSINESS_DAY + random.int(0, 2700) * DAY_MS;
    const uses = random.int(1, 10);
    const row = {
      id: i + 2,
      percent: random.weighted([
        [80, 100],
        [15, 50],
        [5, random.int(13, 90)],
      ]),
      reason: random.pick(['academic', 'fast track', 'resident', 'goodwill', '研究']),
      count: uses,
      start: random.chance(0.4) ? null : date(start),
      finish: random.chance(0.5) ? null : date(start + random.int(30, 500) * DAY_MS),
      total: random.chance(0.3),
      used: random.int(0, uses),
      offer_id: random.int(3, counts.dispatch_offer + 2),
    };
    yield withOverrides(row, odd(i));
  }
}

export function offerTables(world: World): RowSource[] {
  const { dispatch_offer: offers, dispatch_discount: discounts } = world.counts;
  return [
    { table: 'dispatch_offer', rows: offerRows(world), total: offers },
    { table: 'dispatch_discount', rows: discountRows(world), total: discounts },
  ];
}
