import { ODD_JSON_TEXTS } from '../json-texts.ts';
import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { ODD_TEXTS, outOfLineText, prose } from '../prose.ts';
import type { Random } from '../random.ts';
import { DELETED_PRODUCT_IDS, LIVE_PRODUCT_IDS } from '../reference-ids.ts';
import { at } from '../world/ids.ts';
import type { Instruction } from '../world/orders.ts';
import type { World } from '../world/world.ts';

const ODD_INSTRUCTIONS: readonly Overrides[] = [
  { status: 6 }, // T35
  { status: 7 },
  { status: 99 },
  { status: 0 },
  { status: 3 },
  { status: 5 },
  { submitted_at: null }, // T34
  { updated_at: null },
  { submitted_at: null, updated_at: null, order: null },
  { price: '997.00' }, // T36: set on a handful of all orders
  { price: '0.00' },
  { suffix: null },
  { suffix: '' },
  { submitted_at: '2016-11-06 09:30:00.000001+00' }, // T90
  { submitted_at: '2025-03-09 10:00:00+00', updated_at: '9999-12-31 23:59:59.999999+00' },
  { order: 0, cbct: null, comprehensive: null, accept_extraction: null },
  ...ODD_JSON_TEXTS.map((exports) => ({ exports })), // T37
  ...ODD_TEXTS.map((text) => ({ objective: text, notes: text, complaint: text })), // T57
];

/** How often an order keeps large texts out of line. */
const LARGE_TEXT_SHARE = 0.004;

function modelAndScanner(random: Random): { model: number | null; scanner: number | null } {
  return random.weighted([
    [63.97, { model: 1, scanner: null }],
    [22.5, { model: null, scanner: null }],
    [7.5, { model: 3, scanner: 2 }],
    [2.97, { model: 1, scanner: 2 }],
    [1.8, { model: 3, scanner: 10 }],
  ]);
}

function courseOf(random: Random, ordinal: number): number {
  if (ordinal === 1) return random.chance(0.97) ? 1 : 4;
  return random.weighted([
    [70, 2],
    [22, 3],
    [5, 4],
    [2, 7],
    [1, 8],
  ]);
}

/** Days from submission to shipping: median 16.7, mean 21, at most 159. */
function shippedAfterDays(random: Random): number {
  return Math.min(159, 16.7 * Math.exp(0.66 * random.gauss()));
}

function instructionRow(random: Random, instruction: Instruction): Row {
  const updated = instruction.submittedMs + shippedAfterDays(random) * DAY_MS;
  const optional = (share: number) => (random.chance(share) ? prose(random, random.int(1, 4)) : '');
  const { patient } = instruction;
  return {
    id: instruction.id,
    patient_id: patient.id,
    submitted_at: timestamp(instruction.submittedMs, random.int(0, 999)),
    deleted: instruction.deleted,
    status: random.weighted([
      [83.12, 4],
      [14.54, 1],
      [2.35, 2],
    ]),
    cbct: random.chance(0.3997),
    ...modelAndScanner(random),
    objective: optional(0.6),
    conditions: optional(0.2),
    order: instruction.ordinal,
    lower_jaw_id: instruction.lowerJawId,
    upper_jaw_id: instruction.upperJawId,
    comprehensive: random.chance(0.4634),
    scanner_notes: optional(0.05),
    accept_extraction: random.chance(0.1755),
    updated_at: timestamp(Math.min(NOW, updated), random.int(0, 999)),
    notes: random.chance(0.3) ? null : optional(0.5),
    suffix: random.chance(0.97) && patient.suffix ? patient.suffix : random.alphanumeric(4),
    course_id: courseOf(random, instruction.ordinal),
    complaint: optional(0.4),
    exports: random.chance(0.9) ? '{}' : `{"stl": ${random.int(1, 30)}, "done": true}`,
    price: random.chance(0.0016) ? `${random.int(50, 997)}.50` : null,
  };
}

function* instructionRows({ orders, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_instruction');
  const count = orders.instructions.length;
  const odd = spread(ODD_INSTRUCTIONS, count);
  for (const [i, instruction] of orders.instructions.entries()) {
    const row = withOverrides(instructionRow(random, instruction), odd(i));
    const large = i === 4 || random.chance(LARGE_TEXT_SHARE);
    const column = random.pick(['notes', 'objective', 'complaint']);
    yield large ? { ...row, [column]: outOfLineText(random) } : row;
  }
}

function teeth(random: Random, density: number): string {
  let bits = '';
  for (let i = 0; i < 16; i += 1) bits += random.chance(density) ? '1' : '0';
  return bits;
}

const ODD_JAWS: readonly Overrides[] = [
  { bond_teeth: '0000000000000000' }, // T40
  { bond_teeth: '0000000000000001', extract_teeth: '0001000000001000' },
  { bond_teeth: '1111' },
  { bond_teeth: '' },
  { reason: 9 },
  { product_id: at(DELETED_PRODUCT_IDS, 3) }, // T28
];

function* jawRows({ orders, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_jaw');
  const odd = spread(ODD_JAWS, orders.jawIds.length);
  for (const [i, id] of orders.jawIds.entries()) {
    const product = random.chance(0.2) ? DELETED_PRODUCT_IDS : LIVE_PRODUCT_IDS;
    const row = {
      id,
      bond_teeth: random.chance(0.7) ? '0011111111111100' : teeth(random, 0.7),
      extract_teeth: random.chance(0.85) ? '0000000000000000' : teeth(random, 0.1),
      reason: random.chance(0.9) ? null : random.int(1, 3),
      product_id: random.chance(0.05) ? null : random.pick(product),
      labial: random.chance(0.25),
    };
    yield withOverrides(row, odd(i));
  }
}

export function instructionTables(world: World): RowSource[] {
  const { instructions, jawIds } = world.orders;
  return [
    { table: 'dispatch_jaw', rows: jawRows(world), total: jawIds.length },
    { table: 'dispatch_instruction', rows: instructionRows(world), total: instructions.length },
  ];
}
