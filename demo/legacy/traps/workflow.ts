import { rowsWhere, type Trap } from './trap.ts';

/** Production steps, tasks, payments and operations. */
export const WORKFLOW_TRAPS: readonly Trap[] = [
  {
    number: 'T60',
    table: 'dispatch_template_predecessors',
    sql: `select l.id from dispatch_template_predecessors l
          join dispatch_template a on a.id = l.from_template_id
          join dispatch_template b on b.id = l.to_template_id
          where a.course_id is distinct from b.course_id`,
  },
  rowsWhere(
    'T61',
    'dispatch_template',
    `coalesce(t.task_name, '') || coalesce(t.action_name, '') || coalesce(t.text_name, '') = ''
     or t.function is null or t.function not in (1, 2, 4) or t.duration = 0`,
  ),
  rowsWhere(
    'T62',
    'dispatch_role',
    `t.user_id is null or exists (select 1 from auth_user u where u.id = t.user_id and not u.is_active)`,
  ),
  rowsWhere('T63', 'dispatch_task', 't.checked = (t.done_at is null)'),
  rowsWhere(
    'T64',
    'dispatch_task',
    `t.instruction_id is null or t.plan_id is null or (t.checked and t.actor_id is null)
     or exists (select 1 from dispatch_instruction i where i.id = t.instruction_id and i.deleted)`,
  ),
  rowsWhere('T65', 'dispatch_task', 't.order_id is not null'),
];

const DECIMALS = (column: string) => `scale(t.${column}) > 2`;
const BEYOND_FLOAT = (column: string) =>
  `(t.${column} <> 'NaN' and t.${column}::float8::numeric(60,20) <> t.${column})`;

export const MONEY_TRAPS: readonly Trap[] = [
  rowsWhere('T67', 'dispatch_payment', 't.instruction_id is null'),
  rowsWhere(
    'T68',
    'dispatch_payment',
    't.total_price = 0 or (t.free and t.paid) or (t.canceled and t.paid)',
  ),
  rowsWhere(
    'T69',
    'dispatch_payment',
    `t.installments is null or t.installments !~ '^\\[\\{.*\\]$'`,
  ),
  rowsWhere('T69', 'dispatch_payment', `t.installments ~ '^\\[\\{.*\\]$'`),
  rowsWhere(
    'T70',
    'dispatch_payment',
    `${['total_price', 'additional_price', 'tax_value', 'custom_price'].map(DECIMALS).join(' or ')}
     or t.total_price < 0 or ${BEYOND_FLOAT('total_price')}`,
  ),
  rowsWhere(
    'T70',
    'dispatch_operation',
    `${DECIMALS('price')} or t.price < 0 or ${BEYOND_FLOAT('price')}`,
  ),
  rowsWhere(
    'T71',
    'dispatch_payment',
    't.paid_price <> t.total_price or t.used_credit > t.total_price',
  ),
  rowsWhere(
    'T72',
    'dispatch_operation',
    `t.type is null or (t.type = 2 and t.price >
     (select coalesce(p.paid_price, 0) from dispatch_payment p where p.id = t.payment_id))`,
  ),
  {
    number: 'T72',
    table: 'dispatch_payment',
    sql: `select payment_id as id from dispatch_operation group by payment_id having count(*) > 1`,
  },
  rowsWhere('T75', 'dispatch_order', 'true'),
  rowsWhere('T75', 'dispatch_purchase', 'true'),
];
