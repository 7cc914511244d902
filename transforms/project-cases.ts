import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { caseStateOfProject, caseTypeOfProject, isRefinement } from './case-words.ts';
import { chosenPlan } from './chosen-plan.ts';
import { decode, patientStatus } from './codes.ts';
import { course } from './legacy/catalogue.ts';
import { instruction, plan, project } from './legacy/orders.ts';
import { patient } from './legacy/people.ts';
import { projectCaseNumber } from './numbers.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_project` to `cases`, kind project; the patient is found through the plans. */
export const projectCases = entity({
  name: 'project_case',
  target: 'cases',
  from: project.select('id', 'created_at', 'name', 'type', 'status').with((on) => ({
    plans: on.many(
      plan.select('id', 'original').with((on) => ({
        order: on.one(
          'instruction_id',
          instruction.select('id', 'patient_id').with((on) => ({
            patient: on.one('patient_id', patient.select('id', 'doctor_id', 'office_id', 'status')),
            course: on.one('course_id', course.select('id', 'type')),
          })),
        ),
      })),
      'project_id',
    ),
  })),
  map(project) {
    const order = chosenPlan(project.plans)?.order ?? null;
    const patientId = order?.patient_id ?? null;
    const patient = order?.patient ?? null;
    const patients = new Set(project.plans.flatMap((plan) => plan.order?.patient_id ?? []));
    const issues: readonly Issue[] =
      patients.size > 1 ? [{ column: 'id', reason: 'its plans lead to several patients' }] : [];
    return row(
      {
        id: ref('project_case', project.id),
        kind: 'project',
        legacy_patient_id: null,
        legacy_project_id: project.id,
        parent_case_id: ref('patient_case', patientId),
        case_number: projectCaseNumber(project.id),
        title: emptyToNull(project.name),
        patient_id: ref('patient', patientId),
        doctor_id: ref('profile', patient?.doctor_id ?? null),
        office_id: ref('office', patient?.office_id ?? null),
        case_type: isRefinement(order?.course) ? 'refinement' : caseTypeOfProject(project.type),
        case_type_code: project.type,
        current_state: caseStateOfProject(project.status),
        status: decode(patientStatus, patient?.status ?? null),
        resolution: patientId === null ? 'none' : 'plan',
        opened_at: project.created_at,
        closed_at: null,
      },
      issues,
    );
  },
});
