import { bool, date, int4, numeric, text, timestamptz } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** Every account: patients, doctors, staff. Also what Django's proxy `dispatch.user` names. */
export const user = legacyTable('auth_user', 'id', {
  id: int4,
  password: text.neverRead,
  last_login: timestamptz.orNull,
  is_superuser: bool.orNull,
  username: text.orNull,
  first_name: text.orNull,
  last_name: text.orNull,
  email: text.orNull,
  is_staff: bool.orNull,
  is_active: bool.orNull,
  date_joined: timestamptz.orNull,
});

export const group = legacyTable('auth_group', 'id', { id: int4, name: text.orNull });

export const userGroup = legacyTable('auth_user_groups', 'id', {
  id: int4,
  user_id: int4,
  group_id: int4,
});

export const patient = legacyTable('dispatch_patient', 'id', {
  id: int4,
  doctor_id: int4.orNull,
  user_id: int4,
  birthdate: date.orNull,
  office_id: int4.orNull,
  archived: bool.orNull,
  status: int4.orNull,
  submitted_at: timestamptz.orNull,
  suffix: text.orNull,
  updated_at: timestamptz.orNull,
  sex: int4.orNull,
  suspended: bool.orNull,
  schemes: text.orNull,
});

/** A production role. It names at most one holder. */
export const role = legacyTable('dispatch_role', 'id', {
  id: int4,
  name: text.orNull,
  abbrev: text.orNull,
  type: int4.orNull,
  order: int4.orNull,
  user_id: int4.orNull,
  group_id: int4.orNull,
});

export const doctorSetting = legacyTable('dispatch_doctorsetting', 'id', {
  id: int4,
  user_id: int4,
  clinical_preferences: text.orNull,
  sq_customer_id: text.orNull,
  promised_payment: bool.orNull,
  credit: numeric.orNull,
  tier_finish: date.orNull,
  tier_type: int4.orNull,
  installment_payments: int4.orNull,
  baa_agreed_at: timestamptz.orNull,
  eula_agreed_at: timestamptz.orNull,
  company_account: bool.orNull,
});
