import { entity } from '../core/entity.ts';
import { excluded, ref, row } from '../core/outcome.ts';
import { doctorReasons, doctorTraces } from './doctor-reasons.ts';
import { user } from './legacy/people.ts';
import { doctorNumber } from './numbers.ts';

/**
 * `auth_user` to `doctors`: every account that some legacy row names as a doctor, active or not,
 * with or without patients. It shares the profile's id.
 */
export const doctors = entity({
  name: 'doctor',
  target: 'doctors',
  identity: 'profile',
  from: user.select('id', 'is_active').with(doctorTraces),
  map(user) {
    const reasons = doctorReasons(user);
    if (reasons.length === 0) return excluded('not_a_doctor');
    return row({
      id: ref('profile', user.id),
      legacy_user_id: user.id,
      doctor_number: doctorNumber(user.id),
      primary_office_id: ref('office', user.officeLinks[0]?.office_id ?? null),
      status: user.is_active === true ? 'active' : 'inactive',
      detection_reasons: reasons,
      has_patients: user.hasPatients,
    });
  },
});
