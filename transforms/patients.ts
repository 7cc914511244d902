import { entity } from '../core/entity.ts';
import { type Issue, ref, row } from '../core/outcome.ts';
import { decode, patientSex } from './codes.ts';
import { jsonOf } from './json-text.ts';
import { patient } from './legacy/people.ts';
import { patientNumber } from './numbers.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_patient` to `patients`. Name and e-mail are those of the profile. */
export const patients = entity({
  name: 'patient',
  target: 'patients',
  from: patient.select(
    ...(['id', 'doctor_id', 'user_id', 'birthdate', 'office_id', 'archived', 'status'] as const),
    ...(['submitted_at', 'suffix', 'updated_at', 'sex', 'suspended', 'schemes'] as const),
  ),
  map(patient) {
    const issues: Issue[] = [];
    return row(
      {
        id: ref('patient', patient.id),
        legacy_patient_id: patient.id,
        legacy_user_id: patient.user_id,
        profile_id: ref('profile', patient.user_id),
        patient_number: patientNumber(patient.id),
        suffix: emptyToNull(patient.suffix),
        date_of_birth: patient.birthdate,
        gender: decode(patientSex, patient.sex, issues),
        sex_code: patient.sex,
        status_code: patient.status,
        // By the two flags; what the code means is contested.
        status: patient.archived ? 'archived' : patient.suspended ? 'suspended' : 'active',
        archived: patient.archived ?? false,
        suspended: patient.suspended ?? false,
        schemes: jsonOf('schemes', patient.schemes, issues),
        primary_doctor_id: ref('profile', patient.doctor_id),
        office_id: ref('office', patient.office_id),
        enrolled_at: patient.submitted_at,
        source_updated_at: patient.updated_at,
        legacy_data: '{}',
      },
      issues,
    );
  },
});
