import { table, type LegacyTable } from './definition.ts';

export const PEOPLE: readonly LegacyTable[] = [
  table(
    'auth_user',
    `password varchar(128)
     last_login timestamptz null
     is_superuser boolean
     username varchar(150) unique
     first_name varchar(150)
     last_name varchar(150)
     email varchar(254)
     is_staff boolean
     is_active boolean
     date_joined timestamptz`,
  ),
  table('auth_group', 'name varchar(150) unique'),
  table(
    'auth_user_groups',
    `user_id integer -> auth_user
     group_id integer -> auth_group
     unique (user_id, group_id)`,
  ),
  table(
    'auth_permission',
    `name varchar(255)
     content_type_id integer -> django_content_type
     codename varchar(100)
     unique (content_type_id, codename)`,
  ),
  table(
    'auth_group_permissions',
    `group_id integer -> auth_group
     permission_id integer -> auth_permission
     unique (group_id, permission_id)`,
  ),
  table(
    'auth_user_user_permissions',
    `user_id integer -> auth_user
     permission_id integer -> auth_permission
     unique (user_id, permission_id)`,
  ),
  table(
    'dispatch_role',
    `name varchar(255)
     abbrev varchar(255) null
     type integer null
     order integer null
     user_id integer null -> auth_user
     group_id integer null -> auth_group`,
  ),
  table(
    'dispatch_role_permissions',
    `role_id integer -> dispatch_role
     permission_id integer -> auth_permission
     unique (role_id, permission_id)`,
  ),
  table(
    'dispatch_usersetting',
    `user_id integer -> auth_user
     emails boolean
     require_2fa boolean null`,
  ),
  table(
    'dispatch_doctorsetting',
    `user_id integer unique -> auth_user
     clinical_preferences text null
     sq_customer_id varchar(255) null
     promised_payment boolean null
     credit numeric(10,2) null
     tier_finish date null
     tier_type integer null
     installment_payments integer null
     baa_agreed_at timestamptz null
     eula_agreed_at timestamptz null
     company_account boolean null`,
  ),
  table(
    'dispatch_doctorsetting_masters',
    `doctorsetting_id integer -> dispatch_doctorsetting
     user_id integer -> auth_user
     unique (doctorsetting_id, user_id)`,
  ),
  table(
    'dispatch_doctorsetting_sales',
    `doctorsetting_id integer -> dispatch_doctorsetting
     user_id integer -> auth_user
     unique (doctorsetting_id, user_id)`,
  ),
  table(
    'dispatch_patient',
    `doctor_id integer null -> auth_user
     user_id integer unique -> auth_user
     birthdate date null
     office_id integer null -> dispatch_office
     archived boolean
     status integer null
     submitted_at timestamptz null
     suffix varchar(255) null
     updated_at timestamptz null
     sex integer null
     suspended boolean
     schemes text null`,
  ),
  table('dispatch_client', 'user_id integer null -> auth_user'),
  table('dispatch_client3d', 'user_id integer null -> auth_user'),
  table('dispatch_master', 'user_id integer null -> auth_user'),
];
