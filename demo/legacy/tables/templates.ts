import type { Row, RowSource } from '../load/row.ts';
import {
  CATEGORY_COUNT,
  COURSES,
  DELETED_PRODUCT_IDS,
  GROUPS,
  LIVE_PRODUCT_IDS,
  ROLE_COUNT,
  TEMPLATE_COUNT,
} from '../reference-ids.ts';
import { at } from '../world/ids.ts';

const STEPS = [
  { task: 'Submitted', action: 'Submit Patient', function: 1, status: 1 },
  { task: 'Sectioned', action: 'Section Models', function: 4, status: 1 },
  { task: 'Quality Checked', action: 'Check Quality', function: 1, status: 1 },
  { task: 'Plan Added', action: 'Add Plan', function: 4, status: 5 },
  { task: 'Approved', action: 'Approve Plan', function: 1, status: 2 },
  { task: 'Designed', action: 'Upload Design', function: 4, status: 3 },
  { task: 'Printed', action: 'Print Trays', function: 1, status: 3 },
  { task: 'Shipped', action: 'Ship Order', function: 1, status: 4 },
  { task: 'Archived', action: 'Archive Files', function: 2, status: null },
] as const;

/** T61 and the like, by place in the table. */
function oddTemplate(index: number): Record<string, string | number | null> {
  switch (index) {
    case 30:
      return { task_name: null, action_name: null, text_name: null };
    case 31:
      return { task_name: '', action_name: '', text_name: '', extensions: '' };
    case 32:
      return { function: 9 };
    case 33:
      return { function: null, status: null };
    case 34:
      return { duration: 0 };
    case 35:
      return { status: 99, category_id: null, course_id: null };
    default:
      return {};
  }
}

function templates(): Row[] {
  return Array.from({ length: TEMPLATE_COUNT }, (_, i) => {
    const step = at(STEPS, i % STEPS.length);
    return {
      id: i + 4,
      task_name: i < STEPS.length ? step.task : `${step.task} ${Math.floor(i / STEPS.length) + 1}`,
      action_name: step.action,
      function: step.function,
      status: step.status,
      duration: ((i * 7) % 72) + 1,
      category_id: i % 10 === 9 ? null : (i % CATEGORY_COUNT) + 1,
      course_id: i % 15 === 14 ? null : at(COURSES, Math.floor(i / STEPS.length) % 4).id,
      predefined: i % 4 !== 3,
      read_only: i % 6 === 5,
      text_name: i % 3 === 0 ? 'Remarks' : null,
      extensions: i % 5 === 0 ? '.stl,.ply' : i % 5 === 1 ? '' : null,
      alerts: i % 7 === 0 ? 'overdue' : null,
      separate: i % 8 === 0 ? null : i % 8 < 3,
      ...oddTemplate(i),
    };
  });
}

/** Links template `i` with one target; repeats of a pair are left out. */
function links(
  columns: readonly [string, string],
  count: number,
  target: (template: number, round: number) => number | undefined,
): Row[] {
  const rows: Row[] = [];
  const seen = new Set<string>();
  for (let i = 0; rows.length < count && i < count * 3; i += 1) {
    const template = i % TEMPLATE_COUNT;
    const targetId = target(template, Math.floor(i / TEMPLATE_COUNT));
    const pair = `${template} ${targetId}`;
    if (targetId === undefined || seen.has(pair)) continue;
    seen.add(pair);
    rows.push({ id: rows.length * 2 + 1, [columns[0]]: template + 4, [columns[1]]: targetId });
  }
  return rows;
}

const VIEW_GROUPS = [GROUPS.Doctor, GROUPS.Master, GROUPS.Sales, GROUPS.Technician] as const;
const ALL_PRODUCT_IDS = [...LIVE_PRODUCT_IDS, ...DELETED_PRODUCT_IDS];

/** T60: mostly the next step, at the seam of two courses too; never a cycle. */
function successor(template: number, round: number): number | undefined {
  const next = template + 1 + round * 2;
  return next < TEMPLATE_COUNT ? next + 4 : undefined;
}

export function templateTables(): RowSource[] {
  const role = (shift: number) => (template: number, round: number) =>
    ((template * 5 + round * 7 + shift) % ROLE_COUNT) + 1;
  const group = (template: number, round: number) => at(VIEW_GROUPS, (template + round) % 4);
  const product = (template: number, round: number) =>
    at(ALL_PRODUCT_IDS, (template + round * 3) % ALL_PRODUCT_IDS.length);
  const source = (table: string, rows: readonly Row[]) => ({ table, rows, total: rows.length });
  return [
    source('dispatch_template', templates()),
    source('dispatch_template_edit_roles', links(['template_id', 'role_id'], 659, role(0))),
    source('dispatch_template_view_roles', links(['template_id', 'role_id'], 1111, role(3))),
    source('dispatch_template_view_groups', links(['template_id', 'group_id'], 199, group)),
    source('dispatch_template_products', links(['template_id', 'product_id'], 183, product)),
    source(
      'dispatch_template_predecessors',
      links(['from_template_id', 'to_template_id'], 210, successor),
    ),
  ];
}
