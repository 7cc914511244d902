import { describe, expect, test } from 'vitest';
import { doctors } from '../../transforms/doctors.ts';
import { offices } from '../../transforms/offices.ts';
import { patientCases } from '../../transforms/patient-cases.ts';
import { patients } from '../../transforms/patients.ts';
import { profiles } from '../../transforms/profiles.ts';
import { make, textOf, treeOf, type Given } from './transforms-tree.ts';

const member = (...names: readonly string[]) =>
  names.map((name) => ({ id: 1, group: { id: 1, name } }));
const typeOf = (user: Given) => {
  const { row } = make(profiles, { id: 7, ...user });
  return `${textOf(row['profile_type'])} by ${textOf(row['profile_type_reason'])}`;
};

describe('the type of a profile', () => {
  const all = {
    patients: [{ id: 3 }],
    memberships: member('DOCTOR', 'technician', 'Master', 'Admin', 'Sales', 'Support', 'Patient'),
    is_superuser: true,
    is_staff: true,
    hasSetting: true,
  };
  const without = (...names: readonly string[]) => ({
    ...all,
    patients: [],
    memberships: all.memberships.filter(({ group }) => !names.includes(group.name)),
  });

  test.each([
    ['patient by patient_row', all],
    ['doctor by group_doctor', without()],
    ['technician by group_technician', without('DOCTOR')],
    ['master by group_master', without('DOCTOR', 'technician')],
    ['admin by group_admin', without('DOCTOR', 'technician', 'Master')],
    ['sales_person by group_sales', without('DOCTOR', 'technician', 'Master', 'Admin')],
    ['support_agent by group_support', { memberships: member('Support'), is_superuser: true }],
    [
      'technician by technician_role',
      { roles: [{ id: 1, group: { id: 2, name: 'Technician' } }], memberships: member('Master') },
    ],
    ['master by superuser', { is_superuser: true, hasOffers: true, is_staff: true }],
    ['doctor by doctor_row', { hasNotes: true, is_staff: true, memberships: member('Billing') }],
    ['technician by staff', { is_staff: true, memberships: member('Patient') }],
    ['patient by group_patient', { memberships: member('Patient') }],
    [
      'client by fallback',
      { memberships: member('Doctors', 'Export'), roles: [{ id: 1, group: null }] },
    ],
    ['admin by group_admin', { memberships: member('ADMINISTRATOR') }],
  ])('is %s (T07, T08)', (expected, user) => {
    expect(typeOf(user)).toBe(expected);
    expect(typeOf({ ...user, is_active: false })).toBe(expected);
  });
});

test('the smallest of several patients on one account counts, and gives a patient its office (T14)', () => {
  const user = {
    id: 7,
    patients: [
      { id: 3, office_id: null },
      { id: 4, office_id: 8 },
    ],
    officeLinks: [{ id: 1, office_id: 5 }],
  };
  const { row } = make(profiles, user);
  expect([row['legacy_patient_id'], row['primary_office_id']]).toEqual([3, null]);
});

test('who is a patient by group alone has no office, whatever the office links', () => {
  const user = { id: 7, memberships: member('Patient') };
  expect(make(profiles, user).row['primary_office_id']).toBeNull();
  const doctor = {
    id: 7,
    officeLinks: [
      { id: 2, office_id: 6 },
      { id: 3, office_id: 5 },
    ],
  };
  expect(make(profiles, doctor).row['primary_office_id']).toBe('office:6');
});

test.each([
  ['', null, false],
  ['   ', null, false],
  ['  A@Example.com ', 'A@Example.com', true],
  ['\ta@b.c', '\ta@b.c', false],
  ['null', 'null', false],
  [null, null, false],
])('the e-mail %j becomes %j (T01, T02)', (email, expected, isTest) => {
  const { row } = make(profiles, { id: 7, email });
  expect([row['email'], row['is_test_account']]).toEqual([expected, isTest]);
});

test('a user without any trace of a doctor is excluded by name; with one, it has the profile id', () => {
  expect(doctors.map(treeOf(doctors.shape, { id: 7, is_active: true }) as never)).toEqual({
    kind: 'excluded',
    rule: 'not_a_doctor',
  });
  const { row } = make(doctors, {
    ...{
      id: 7,
      is_active: null,
      memberships: member('Doctor'),
      officeLinks: [{ id: 9, office_id: 2 }],
    },
    ...{
      hasNotes: true,
      hasOffers: true,
      hasOrders: true,
      hasPatients: true,
      hasPayments: true,
      hasSetting: true,
    },
  });
  expect(row).toEqual({
    id: 'profile:7',
    legacy_user_id: 7,
    doctor_number: 'DOC-000007',
    primary_office_id: 'office:2',
    status: 'inactive',
    detection_reasons: [
      'group',
      'has_notes',
      'has_offers',
      'has_orders',
      'has_patients',
      'has_payments',
      'office_link',
      'setting',
    ],
    has_patients: true,
  });
});

test('a patient: flags decide the status, codes stay raw, broken JSON is kept (T16, T17, T18)', () => {
  const { row, issues } = make(patients, {
    ...{ id: 520_001, user_id: 7, doctor_id: 8, office_id: 9, archived: true, suspended: true },
    ...{ status: 77, sex: 9, suffix: '', schemes: "{'a': None}", birthdate: 'infinity' },
  });
  expect(row).toMatchObject({
    id: 'patient:520001',
    profile_id: 'profile:7',
    primary_doctor_id: 'profile:8',
    office_id: 'office:9',
    status: 'archived',
    status_code: 77,
    gender: 'unknown',
    sex_code: 9,
    suffix: null,
    schemes: '"{\'a\': None}"',
    date_of_birth: 'infinity',
    legacy_data: '{}',
  });
  expect(issues).toEqual([
    { column: 'sex', reason: 'code 9 has no label', shared: true },
    { column: 'schemes', reason: 'not JSON' },
  ]);
});

test('the case of a patient follows the order with the highest id, deleted or not (T33)', () => {
  const orders = [
    { id: 1, status: 4, course: { id: 2, type: 2 } },
    { id: 9, status: 5, course: { id: 1, type: 1 } },
  ];
  const user = { id: 7, first_name: '', last_name: '山田' };
  const { row } = make(patientCases, { id: 3, status: 10, suffix: 'aB3x', user, orders });
  expect(row).toMatchObject({
    id: 'patient_case:3',
    case_number: 'CASE-aB3x-3',
    title: '山田',
    case_type: 'active_treatment',
    current_state: 'planning',
    status: 'transferred',
    resolution: 'own',
  });
  expect(make(patientCases, { id: 3, orders: orders.slice(0, 1) }).row).toMatchObject({
    case_type: 'refinement',
    current_state: 'shipped',
    status: 'unknown',
    title: null,
  });
  expect(make(patientCases, { id: 3 }).row).toMatchObject({
    case_type: 'initial_consultation',
    current_state: 'submitted',
  });
});

test('an office keeps what was typed, and has codes beside it (T21 to T25)', () => {
  const { row } = make(offices, {
    ...{ id: 4, name: null, address: '', zip: '０１２', country: ' japan', phone: '03 1234 5678' },
    ...{ tax_rate: '110.2500', valid: null, emails: null, doctor_id: 7 },
  });
  expect(row).toMatchObject({
    name: '',
    address_line1: null,
    postal_code: '０１２',
    country: ' japan',
    country_code: 'JP',
    phone: '03 1234 5678',
    phone_e164: '+81312345678',
    tax_rate: '110.2500',
    is_valid: false,
    emails_enabled: null,
    legacy_doctor_user_id: 7,
  });
});
