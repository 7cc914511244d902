import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { labelOf, taskJaw } from './codes.ts';
import { task, template } from './legacy/workflow.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_task` to `tasks`; the template gives the names. */
export const tasks = entity({
  name: 'task',
  target: 'tasks',
  from: task
    .select(
      ...(['id', 'checked', 'template_id', 'done_at', 'text', 'plan_id'] as const),
      ...(['instruction_id', 'actor_id', 'jaw'] as const),
    )
    .with((on) => ({
      template: on.one('template_id', template.select('id', 'task_name', 'action_name')),
    })),
  map(task) {
    const issues: Issue[] = [];
    return row(
      {
        id: ref('task', task.id),
        legacy_task_id: task.id,
        order_id: ref('order', task.instruction_id),
        treatment_plan_id: ref('treatment_plan', task.plan_id),
        template_id: ref('workflow_template', task.template_id),
        assigned_to: ref('profile', task.actor_id),
        name: emptyToNull(task.template?.task_name ?? null),
        action_name: emptyToNull(task.template?.action_name ?? null),
        body: emptyToNull(task.text),
        jaw_scope: labelOf(taskJaw, task.jaw, issues),
        jaw_code: task.jaw,
        checked: task.checked,
        // Each of the two occurs without the other.
        status: task.checked === true || task.done_at !== null ? 'completed' : 'pending',
        completed_at: task.done_at,
        legacy_data: '{}',
      },
      issues,
    );
  },
});
