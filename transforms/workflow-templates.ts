import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { courseType, decode, templateFunction, templateStatus } from './codes.ts';
import { course } from './legacy/catalogue.ts';
import { template } from './legacy/workflow.ts';
import { emptyToNull } from './text.ts';
import { stepRelations, stepsOf, templateName } from './workflow-steps.ts';

/** The type of the cases that a course's templates work on. */
function caseTypeOfCourse(type: number | null): string {
  const kind = decode(courseType, type);
  return kind === 'main' ? 'active_treatment' : kind === 'refinement' ? 'refinement' : 'unknown';
}

/** `dispatch_template` to `workflow_templates`: one task definition each. */
export const workflowTemplates = entity({
  name: 'workflow_template',
  target: 'workflow_templates',
  from: template
    .select(
      ...(['id', 'task_name', 'action_name', 'function', 'status', 'duration'] as const),
      ...(['course_id', 'predefined', 'read_only', 'text_name', 'extensions'] as const),
      ...(['alerts', 'separate'] as const),
    )
    .with((on) => ({
      ...stepRelations(on),
      course: on.one('course_id', course.select('id', 'type')),
    })),
  map(template) {
    const issues: Issue[] = [];
    return row(
      {
        id: ref('workflow_template', template.id),
        legacy_template_id: template.id,
        name: templateName(template),
        task_name: emptyToNull(template.task_name),
        action_name: emptyToNull(template.action_name),
        text_name: emptyToNull(template.text_name),
        order_type_id: ref('order_type', template.course_id),
        function_code: template.function,
        function_type: decode(templateFunction, template.function, issues),
        trigger_status_code: template.status,
        // Not an active flag: the order status that the step goes with, if any.
        trigger_status:
          template.status === null ? null : decode(templateStatus, template.status, issues),
        duration_code: template.duration,
        // Minutes, hours or days: the unit of the duration is not known.
        estimated_duration: null,
        is_predefined: template.predefined,
        is_read_only: template.read_only,
        is_separate: template.separate,
        extensions: emptyToNull(template.extensions),
        alerts: emptyToNull(template.alerts),
        case_type: caseTypeOfCourse(template.course?.type ?? null),
        steps: stepsOf(template, issues),
        legacy_data: '{}',
      },
      issues,
    );
  },
});
