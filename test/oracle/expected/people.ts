import { countryCodeOf } from '../countries.ts';
import { e164Of } from '../phones.ts';
import type { TextRow } from '../session.ts';
import type { ExpectedTable } from './table.ts';

const offices: ExpectedTable = {
  table: 'offices',
  targetOwned: ['email', 'website', 'tax_id', 'netsuite_id', 'settings'],
  sql: `
    select pg_temp.ref('office', o.id) as id,
      o.id as legacy_office_id,
      coalesce(o.name, '') as name,
      nullif(o.address, '') as address_line1,
      nullif(o.apt, '') as address_line2,
      nullif(o.city, '') as city,
      nullif(o.state, '') as state,
      nullif(o.zip, '') as postal_code,
      nullif(o.country, '') as country,
      nullif(o.phone, '') as phone,
      o.tax_rate,
      nullif(o.sq_customer_id, '') as square_customer_id,
      o.emails as emails_enabled,
      coalesce(o.valid, false) as is_valid,
      o.doctor_id as legacy_doctor_user_id,
      '{}' as legacy_data
    from dispatch_office o`,
  completed: { columns: ['country_code', 'phone_e164'], by: addCountryAndPhone },
};

function addCountryAndPhone(rows: readonly TextRow[]): void {
  for (const row of rows) {
    const country = countryCodeOf(row['country'] ?? null);
    row['country_code'] = country;
    row['phone_e164'] = e164Of(row['phone'] ?? null, country);
  }
}

/** Every user that some row names as a doctor, with the reasons (mapping 4.1, doctors). */
const DOCTOR_REASONS = `
  doctor_reason (user_id, reason) as (
    select link.user_id, 'group' from auth_user_groups link
      join auth_group grp on grp.id = link.group_id where lower(grp.name) = 'doctor'
    union select doctor_id, 'has_notes' from dispatch_note
    union select doctor_id, 'has_offers' from dispatch_offer
    union select doctor_id, 'has_orders' from dispatch_order
    union select doctor_id, 'has_patients' from dispatch_patient
    union select doctor_id, 'has_payments' from dispatch_payment
    union select user_id, 'office_link' from dispatch_office_doctors
    union select user_id, 'setting' from dispatch_doctorsetting
  )`;

const FIRST_OFFICE_LINK = `
  first_link as (
    select distinct on (user_id) user_id, office_id from dispatch_office_doctors
    order by user_id, id
  )`;

const doctors: ExpectedTable = {
  table: 'doctors',
  targetOwned: ['specialty', 'max_patient_load'],
  sql: `
    with ${DOCTOR_REASONS}, ${FIRST_OFFICE_LINK}
    select pg_temp.ref('profile', u.id) as id,
      u.id as legacy_user_id,
      'DOC-' || pg_temp.padded(u.id) as doctor_number,
      pg_temp.ref('office', link.office_id) as primary_office_id,
      case when u.is_active then 'active' else 'inactive' end as status,
      array_agg(r.reason order by r.reason collate "C") as detection_reasons,
      bool_or(r.reason = 'has_patients') as has_patients
    from auth_user u
    join doctor_reason r on r.user_id = u.id
    left join first_link link on link.user_id = u.id
    group by u.id, link.office_id`,
};

const TEST_DOMAINS = ['example.com', 'example.org', 'example.net', 'test.local'];

const profiles: ExpectedTable = {
  table: 'profiles',
  targetOwned: ['auth_user_id', 'phone', 'avatar_url', 'credentials', 'metadata'],
  sql: `
    with ${DOCTOR_REASONS}, ${FIRST_OFFICE_LINK},
    first_patient as (
      select distinct on (user_id) user_id, id, office_id from dispatch_patient
      order by user_id, id
    ),
    membership (user_id, name) as (
      select link.user_id, lower(grp.name) from auth_user_groups link
      join auth_group grp on grp.id = link.group_id
    ),
    technician_role (user_id) as (
      select role.user_id from dispatch_role role
      join auth_group grp on grp.id = role.group_id where lower(grp.name) = 'technician'
    ),
    judged as (
      select u.*, btrim(u.email, ' ') as address, patient.id as patient_id,
        patient.office_id as patient_office_id,
        case
          when patient.id is not null then 'patient_row'
          when (u.id, 'doctor') in (table membership) then 'group_doctor'
          when (u.id, 'technician') in (table membership) then 'group_technician'
          when u.id in (select user_id from technician_role where user_id is not null)
            then 'technician_role'
          when (u.id, 'master') in (table membership) then 'group_master'
          when (u.id, 'administrator') in (table membership)
            or (u.id, 'admin') in (table membership) then 'group_admin'
          when (u.id, 'sales') in (table membership) then 'group_sales'
          when (u.id, 'support') in (table membership) then 'group_support'
          when u.is_superuser then 'superuser'
          when exists (select from doctor_reason r where r.user_id = u.id) then 'doctor_row'
          when u.is_staff then 'staff'
          when (u.id, 'patient') in (table membership) then 'group_patient'
          else 'fallback'
        end as reason
      from auth_user u left join first_patient patient on patient.user_id = u.id
    )
    select pg_temp.ref('profile', u.id) as id,
      u.id as legacy_user_id,
      u.patient_id as legacy_patient_id,
      case u.reason
        when 'patient_row' then 'patient' when 'group_doctor' then 'doctor'
        when 'group_technician' then 'technician' when 'technician_role' then 'technician'
        when 'group_master' then 'master' when 'group_admin' then 'admin'
        when 'group_sales' then 'sales_person' when 'group_support' then 'support_agent'
        when 'superuser' then 'master' when 'doctor_row' then 'doctor'
        when 'staff' then 'technician' when 'group_patient' then 'patient'
        when 'fallback' then 'client'
      end as profile_type,
      u.reason as profile_type_reason,
      nullif(u.username, '') as username,
      nullif(u.address, '') as email,
      coalesce(u.first_name, '') as first_name,
      coalesce(u.last_name, '') as last_name,
      coalesce(u.is_active, false) as is_active,
      coalesce(u.is_staff, false) as is_staff,
      coalesce(u.is_superuser, false) as is_superuser,
      u.date_joined::timestamptz as joined_at,
      u.last_login::timestamptz as last_login_at,
      pg_temp.ref('office', case when u.reason in ('patient_row', 'group_patient')
        then u.patient_office_id else link.office_id end) as primary_office_id,
      coalesce(lower(substring(u.address from '@([^@]*)$'))
        in (${TEST_DOMAINS.map((domain) => `'${domain}'`).join(', ')}), false) as is_test_account,
      '{}' as legacy_data
    from judged u left join first_link link on link.user_id = u.id`,
};

const patients: ExpectedTable = {
  table: 'patients',
  targetOwned: [
    ...['merged_into_id', 'phone', 'address', 'city', 'state', 'zip_code', 'insurance_provider'],
    ...['insurance_id', 'emergency_contact_name', 'emergency_contact_phone', 'medical_history'],
    ...['allergies', 'medications'],
  ],
  legacyJson: ['schemes'],
  sql: `
    select pg_temp.ref('patient', p.id) as id,
      p.id as legacy_patient_id,
      p.user_id as legacy_user_id,
      pg_temp.ref('profile', p.user_id) as profile_id,
      'PAT-' || pg_temp.padded(p.id) as patient_number,
      nullif(p.suffix, '') as suffix,
      p.birthdate as date_of_birth,
      case p.sex when 1 then 'male' when 2 then 'female' when 0 then 'other' else 'unknown' end
        as gender,
      p.sex as sex_code,
      p.status as status_code,
      case when p.archived then 'archived' when p.suspended then 'suspended' else 'active' end
        as status,
      coalesce(p.archived, false) as archived,
      coalesce(p.suspended, false) as suspended,
      p.schemes,
      pg_temp.ref('profile', p.doctor_id) as primary_doctor_id,
      pg_temp.ref('office', p.office_id) as office_id,
      p.submitted_at::timestamptz as enrolled_at,
      p.updated_at::timestamptz as source_updated_at,
      '{}' as legacy_data
    from dispatch_patient p`,
};

export const PEOPLE: readonly ExpectedTable[] = [offices, profiles, doctors, patients];
