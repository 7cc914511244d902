import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { chosenPlan } from './chosen-plan.ts';
import { decode, projectStatus, projectType } from './codes.ts';
import { instruction, plan, project } from './legacy/orders.ts';
import { patient } from './legacy/people.ts';
import { projectNumber } from './numbers.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_project` to `projects`; order, patient and office are found through the plans. */
export const projects = entity({
  name: 'project',
  target: 'projects',
  from: project
    .select('id', 'uid', 'created_at', 'name', 'size', 'public', 'type', 'status', 'creator_id')
    .with((on) => ({
      plans: on.many(
        plan.select('id', 'original', 'instruction_id').with((on) => ({
          order: on.one(
            'instruction_id',
            instruction.select('id', 'patient_id').with((on) => ({
              patient: on.one('patient_id', patient.select('id', 'office_id')),
            })),
          ),
        })),
        'project_id',
      ),
    })),
  map(project) {
    const issues: Issue[] = [];
    const plan = chosenPlan(project.plans);
    const hasNegativeSize = project.size !== null && project.size < 0n;
    if (hasNegativeSize) issues.push({ column: 'size', reason: 'negative' });
    return row(
      {
        id: ref('project', project.id),
        legacy_project_id: project.id,
        legacy_uid: project.uid,
        case_id: ref('project_case', project.id),
        order_id: ref('order', plan?.instruction_id ?? null),
        patient_id: ref('patient', plan?.order?.patient_id ?? null),
        office_id: ref('office', plan?.order?.patient?.office_id ?? null),
        creator_id: ref('profile', project.creator_id),
        name: emptyToNull(project.name),
        project_number: projectNumber(project.id, project.created_at),
        project_type: decode(projectType, project.type, issues),
        type_code: project.type,
        status: decode(projectStatus, project.status, issues),
        status_code: project.status,
        file_size: hasNegativeSize ? null : project.size,
        is_public: project.public ?? false,
        source_created_at: project.created_at,
        legacy_data: hasNegativeSize ? JSON.stringify({ size: String(project.size) }) : '{}',
      },
      issues,
    );
  },
});
