import { stepsOfTemplates } from '../steps.ts';
import type { Session, TextRow } from '../session.ts';
import type { ExpectedTable } from './table.ts';

/** Also the name of a step. */
const TEMPLATE_NAME = `coalesce(nullif(t.task_name, ''), nullif(t.text_name, ''),
  nullif(t.action_name, ''), 'Template' || t.id)`;

const workflowTemplates: ExpectedTable = {
  table: 'workflow_templates',
  targetOwned: ['office_id', 'is_active'],
  sql: `
    select pg_temp.ref('workflow_template', t.id) as id,
      t.id as legacy_template_id,
      ${TEMPLATE_NAME} as name,
      nullif(t.task_name, '') as task_name,
      nullif(t.action_name, '') as action_name,
      nullif(t.text_name, '') as text_name,
      pg_temp.ref('category', t.category_id) as category_id,
      pg_temp.ref('order_type', t.course_id) as order_type_id,
      t.function as function_code,
      pg_temp.task_function(t.function) as function_type,
      t.status as trigger_status_code,
      case when t.status is not null then pg_temp.order_status(t.status) end as trigger_status,
      t.duration as duration_code,
      null as estimated_duration,
      t.predefined as is_predefined,
      t.read_only as is_read_only,
      t.separate as is_separate,
      nullif(t.extensions, '') as extensions,
      nullif(t.alerts, '') as alerts,
      case pg_temp.course_kind(c.type) when 'main' then 'active_treatment'
        when 'refinement' then 'refinement' else 'unknown' end as case_type,
      '{}' as legacy_data
    from dispatch_template t left join dispatch_course c on c.id = t.course_id`,
  completed: { columns: ['steps'], by: addSteps },
};

const TEMPLATES_OF_STEPS = `
  select t.id, ${TEMPLATE_NAME} as name, nullif(t.action_name, '') as action,
    nullif(t.text_name, '') as prompt, pg_temp.task_function(t.function) as function,
    (select coalesce(jsonb_agg(r.name order by r.name collate "C"), '[]')
      from dispatch_template_edit_roles link join dispatch_role r on r.id = link.role_id
      where link.template_id = t.id) as roles,
    (select coalesce(jsonb_agg(pg_temp.ref('product', link.product_id) order by link.product_id),
      '[]') from dispatch_template_products link where link.template_id = t.id) as products
  from dispatch_template t`;

/** The owner of the link row is the dependent template (mapping 4.7). */
const PREDECESSORS = `
  select from_template_id, to_template_id from dispatch_template_predecessors`;

async function addSteps(rows: readonly TextRow[], source: Session): Promise<void> {
  const templates = await source.rows(TEMPLATES_OF_STEPS);
  const links = await source.arrays(PREDECESSORS);
  const steps = stepsOfTemplates(
    templates.map((it) => ({
      id: Number(it['id']),
      name: it['name'] ?? '',
      action: it['action'] ?? null,
      prompt: it['prompt'] ?? null,
      function: it['function'] ?? '',
      roles: JSON.parse(it['roles'] ?? '[]') as string[],
      products: JSON.parse(it['products'] ?? '[]') as string[],
    })),
    links.map(([from, to]) => ({ template: Number(from), predecessor: Number(to) })),
  );
  for (const row of rows) {
    row['steps'] = JSON.stringify(steps.get(Number(row['legacy_template_id'])) ?? []);
  }
}

const tasks: ExpectedTable = {
  table: 'tasks',
  targetOwned: ['assigned_by', 'started_at', 'due_at', 'quality_score', 'quality_notes'],
  sql: `
    select pg_temp.ref('task', k.id) as id,
      k.id as legacy_task_id,
      pg_temp.ref('order', k.instruction_id) as order_id,
      pg_temp.ref('commerce_order', k.order_id) as commerce_order_id,
      pg_temp.ref('treatment_plan', k.plan_id) as treatment_plan_id,
      pg_temp.ref('file', k.file_id) as file_id,
      pg_temp.ref('workflow_template', k.template_id) as template_id,
      pg_temp.ref('profile', k.actor_id) as assigned_to,
      nullif(t.task_name, '') as name,
      nullif(t.action_name, '') as action_name,
      nullif(k.text, '') as body,
      case k.jaw when 1 then 'both' when 2 then 'upper' when 3 then 'lower' end as jaw_scope,
      k.jaw as jaw_code,
      k.checked,
      case when k.checked or k.done_at is not null then 'completed' else 'pending' end as status,
      k.done_at::timestamptz as completed_at,
      '{}' as legacy_data
    from dispatch_task k left join dispatch_template t on t.id = k.template_id`,
};

export const WORKFLOW: readonly ExpectedTable[] = [workflowTemplates, tasks];
