import { timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { outOfLineText, prose } from '../prose.ts';
import type { World } from '../world/world.ts';

const ODD_PROJECTS: readonly Overrides[] = [
  { name: '' }, // T45
  { name: '20418' },
  { name: 'x'.repeat(255) },
  { name: '矯正'.repeat(127) },
  { size: '0' },
  { size: '2147483648' },
  { size: '9007199254740993' },
  { size: '9223372036854775807' },
  { status: 2 },
  { status: 4 },
  { status: 77, type: 77 },
  { type: 1 },
  { type: 4 },
  { created_at: 'infinity' }, // T90
  { created_at: '-infinity' },
  { created_at: '1999-12-31 23:59:59.999999+00' },
  { created_at: '2018-12-31 23:30:00-05' }, // another month in UTC than where it was written
  { created_at: '0001-01-01 00:00:00+00' },
  { creator_id: null }, // T44
];

function* projectRows({ plans, people, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_project');
  const odd = spread(ODD_PROJECTS, plans.projects.length);
  for (const [i, project] of plans.projects.entries()) {
    const row = {
      id: project.id,
      uid: random.uuid(),
      created_at: timestamp(project.createdMs, random.int(0, 999)),
      name: random.weighted([
        [75, `Setup ${random.int(1, 9)}`],
        [8, String(random.int(1, 99_999))],
        [15, random.pick(['上顎', '下顎', 'Upper scan', 'Lower scan', 'แผนการรักษา'])],
        [2, ''],
      ]),
      size: String(Math.floor(Math.exp(15 + 2 * random.gauss()))),
      public: random.chance(0.3),
      type: random.weighted([
        [52, 3],
        [30, 0],
        [10, 10],
        [8, 11],
      ]),
      status: random.chance(0.0002) ? 2 : 0,
      creator_id: random.chance(0.06) ? null : random.pick(people.staff).id,
    };
    yield withOverrides(row, odd(i));
  }
}

const ODD_PLANS: readonly Overrides[] = [
  { number: null }, // T46
  { number: 1 },
  { original: true },
  { original: false },
  { name: null },
  { name: '', notes: '' },
  { notes: '   ' },
];

/** T46: usually the first plan of an order is the original; 4% of the orders have none or two. */
function* planRows({ plans, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_plan');
  const odd = spread(ODD_PLANS, plans.plans.length);
  for (const [i, plan] of plans.plans.entries()) {
    const large = i === 6 || random.chance(0.0005);
    const row = {
      id: plan.id,
      instruction_id: plan.instruction.id,
      project_id: plan.projectId,
      notes: large
        ? outOfLineText(random)
        : random.chance(0.6)
          ? null
          : prose(random, random.int(1, 3)),
      number: random.chance(0.02) ? random.pick([1, 2, null]) : plan.number,
      name: random.chance(0.3) ? '' : `Plan ${plan.number}`,
      original: (plan.number === 1) !== random.chance(0.03),
    };
    yield withOverrides(row, odd(i));
  }
}

export function projectTables(world: World): RowSource[] {
  const { projects, plans } = world.plans;
  return [
    { table: 'dispatch_project', rows: projectRows(world), total: projects.length },
    { table: 'dispatch_plan', rows: planRows(world), total: plans.length },
  ];
}
