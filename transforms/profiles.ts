import { entity } from '../core/entity.ts';
import { ref, row } from '../core/outcome.ts';
import { doctorReasons, doctorTraces, groupNames } from './doctor-reasons.ts';
import { group, patient, role, user } from './legacy/people.ts';
import { detectProfileType } from './profile-type.ts';
import { isTestAccount } from './test-accounts.ts';
import { emptyToNull, trimSpaces } from './text.ts';

/** `auth_user` to `profiles`: one row per account, whatever the kind of person. */
export const profiles = entity({
  name: 'profile',
  target: 'profiles',
  from: user
    .select(
      ...(['id', 'username', 'email', 'first_name', 'last_name', 'is_active', 'is_staff'] as const),
      ...(['is_superuser', 'date_joined', 'last_login'] as const),
    )
    .with((on) => ({
      ...doctorTraces(on),
      patients: on.many(patient.select('id', 'office_id'), 'user_id'),
      roles: on.many(
        role.select('id').with((on) => ({ group: on.one('group_id', group.select('id', 'name')) })),
        'user_id',
      ),
    })),
  map(user) {
    // The smallest, where several patients share the account.
    const patient = user.patients[0] ?? null;
    const email = emptyToNull(trimSpaces(user.email ?? ''));
    const detected = detectProfileType({
      hasPatientRow: patient !== null,
      groups: groupNames(user.memberships),
      holdsTechnicianRole: groupNames(user.roles).has('technician'),
      isSuperuser: user.is_superuser ?? false,
      isDoctor: doctorReasons(user).length > 0,
      isStaff: user.is_staff ?? false,
    });
    // Group Patient alone makes a patient without a patient row, and so without an office.
    const place = detected.type === 'patient' ? patient : user.officeLinks[0];
    return row({
      id: ref('profile', user.id),
      legacy_user_id: user.id,
      legacy_patient_id: patient?.id ?? null,
      profile_type: detected.type,
      profile_type_reason: detected.reason,
      username: emptyToNull(user.username),
      email,
      first_name: user.first_name ?? '',
      last_name: user.last_name ?? '',
      is_active: user.is_active ?? false,
      is_staff: user.is_staff ?? false,
      is_superuser: user.is_superuser ?? false,
      joined_at: user.date_joined,
      last_login_at: user.last_login,
      primary_office_id: ref('office', place?.office_id ?? null),
      is_test_account: isTestAccount(email, user.username),
      legacy_data: '{}',
    });
  },
});
