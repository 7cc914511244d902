import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { caseStateOfOrder, isRefinement } from './case-words.ts';
import { decode, patientStatus } from './codes.ts';
import { course } from './legacy/catalogue.ts';
import { instruction } from './legacy/orders.ts';
import { patient, user } from './legacy/people.ts';
import { patientCaseNumber } from './numbers.ts';
import { joinFilled } from './text.ts';

/** `dispatch_patient` to `cases`, kind patient: one for each. */
export const patientCases = entity({
  name: 'patient_case',
  target: 'cases',
  from: patient
    .select('id', 'user_id', 'doctor_id', 'office_id', 'status', 'submitted_at', 'suffix')
    .with((on) => ({
      user: on.one('user_id', user.select('id', 'first_name', 'last_name')),
      orders: on.many(
        instruction
          .select('id', 'status')
          .with((on) => ({ course: on.one('course_id', course.select('id', 'type')) })),
        'patient_id',
      ),
    })),
  map(patient) {
    const issues: Issue[] = [];
    // By id, and those with the flag `deleted` count.
    const newest = patient.orders.at(-1);
    const typeByOrders = isRefinement(newest?.course) ? 'refinement' : 'active_treatment';
    return row(
      {
        id: ref('patient_case', patient.id),
        kind: 'patient',
        legacy_patient_id: patient.id,
        legacy_project_id: null,
        parent_case_id: null,
        case_number: patientCaseNumber(patient.id, patient.suffix),
        title: joinFilled(patient.user?.first_name ?? null, patient.user?.last_name ?? null),
        patient_id: ref('patient', patient.id),
        doctor_id: ref('profile', patient.doctor_id),
        office_id: ref('office', patient.office_id),
        case_type: newest === undefined ? 'initial_consultation' : typeByOrders,
        case_type_code: null,
        current_state: newest === undefined ? 'submitted' : caseStateOfOrder(newest.status),
        status: decode(patientStatus, patient.status, issues),
        resolution: 'own',
        opened_at: patient.submitted_at,
        closed_at: null,
      },
      issues,
    );
  },
});
