import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { prose } from '../prose.ts';
import type { Random } from '../random.ts';
import { SHOP_ORDER_COUNT, TEMPLATE_COUNT } from '../reference-ids.ts';
import { at, pickFrom } from '../world/ids.ts';
import type { Plan } from '../world/plans.ts';
import type { World } from '../world/world.ts';

const ODD_TASKS: readonly Overrides[] = [
  { checked: true, done_at: null }, // T63
  { checked: false, done_at: '2024-11-03 06:30:00.123456+00' },
  { instruction_id: null }, // T64
  { plan_id: null },
  { plan_id: null, instruction_id: null },
  { actor_id: null, checked: true },
  { jaw: null },
  { jaw: 0 },
  { jaw: 9 },
  { order_id: 2 }, // T65: shop order 2, not instruction 2
  { order_id: 3, instruction_id: null },
  { text: '' },
  { text: '  line one\nline two\t ' },
  { done_at: '9999-12-31 23:59:59.999999+00', checked: true },
  { done_at: '1900-01-01 00:00:00+00', checked: true },
];

function taskRow(random: Random, i: number, plan: Plan, world: World): Row {
  const checked = !random.chance(0.08);
  const done = plan.instruction.submittedMs + random.next() * 25 * DAY_MS;
  const body = random.next();
  return {
    id: at(world.taskIds, i),
    checked,
    file_id: random.chance(0.08) ? pickFrom(random, world.fileIds) : null,
    template_id: random.int(4, TEMPLATE_COUNT + 3),
    done_at:
      checked !== random.chance(0.002) ? timestamp(Math.min(NOW, done), random.int(0, 999)) : null,
    text: body < 0.55 ? null : body < 0.93 ? '' : prose(random, 1),
    plan_id: random.chance(0.04) ? null : plan.id,
    instruction_id: random.chance(0.005) ? null : plan.instruction.id,
    actor_id: checked && !random.chance(0.02) ? random.pick(world.people.staff).id : null,
    jaw: random.weighted([
      [60, 1],
      [22, 2],
      [16, 3],
      [2, null],
    ]),
    order_id: null,
  };
}

/** The tasks of one plan have neighbouring ids, as they are made together. */
function* taskRows(world: World): Generator<Row> {
  const random = world.random.fork('dispatch_task');
  const { plans } = world.plans;
  const count = world.taskIds.length;
  const odd = spread(ODD_TASKS, count);
  for (let i = 0; i < count; i += 1) {
    const plan = at(plans, Math.floor((i / count) * plans.length));
    yield withOverrides(taskRow(random, i, plan, world), odd(i));
  }
}

export function taskTables(world: World): RowSource[] {
  return [{ table: 'dispatch_task', rows: taskRows(world), total: world.taskIds.length }];
}

/** T75. The table is empty today; its ids are those of early instructions (T65). */
export function shopOrderTables({ people }: World): RowSource[] {
  const prices = ['120.00', null, '0.10000000000000000001', 'NaN', '-5'];
  const rows = Array.from({ length: SHOP_ORDER_COUNT }, (_, i) => ({
    id: i + 1,
    doctor_id: i === 3 ? null : at(people.doctors, i).id,
    course_id: i === 4 ? null : 8,
    status: i === 2 ? null : i,
    custom_price: at(prices, i),
  }));
  const purchases = [
    { id: 1, quantity: 2, price: '19.99', order_id: 1, product_id: 1, used: 0, description: '' },
    { id: 2, quantity: 0, price: null, order_id: 2, product_id: 4, used: null, description: null },
  ];
  return [
    { table: 'dispatch_order', rows, total: rows.length },
    { table: 'dispatch_purchase', rows: purchases, total: purchases.length },
  ];
}
