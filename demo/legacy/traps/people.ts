import { rowsWhere, type Trap } from './trap.ts';

const GROUP_OF = `select m.user_id, g.name from auth_user_groups m join auth_group g on g.id = m.group_id`;
const IS_DOCTOR = `exists (select 1 from (${GROUP_OF}) g where g.user_id = t.id and g.name = 'Doctor')`;
const IS_PATIENT = `exists (select 1 from dispatch_patient p where p.user_id = t.id)`;
const IS_TREATING = `exists (select 1 from dispatch_patient p where p.doctor_id = t.id)`;
const HAS_SETTING = `exists (select 1 from dispatch_doctorsetting s where s.user_id = t.id)`;
const HAS_OFFICE_LINK = `exists (select 1 from dispatch_office_doctors l where l.user_id = t.id)`;

const SHARED_SUFFIX = `t.suffix <> '' and exists (select 1 from dispatch_patient o
  where o.id <> t.id and lower(o.suffix) = lower(t.suffix))`;

export const PEOPLE_TRAPS: readonly Trap[] = [
  rowsWhere('T01', 'auth_user', `t.email = ''`),
  rowsWhere('T02', 'auth_user', `t.email <> '' and (t.email !~ '@' or t.email <> btrim(t.email))`),
  {
    number: 'T03',
    table: 'auth_user',
    sql: `select id from (select id, count(*) over (partition by email) as n
          from auth_user where email <> '') e where n > 1`,
  },
  {
    number: 'T04',
    table: 'auth_user',
    sql: `select id from (select id, count(*) over (partition by first_name, last_name) as n
          from auth_user where last_name <> '') e where n > 1`,
  },
  {
    number: 'T04',
    table: 'dispatch_patient',
    sql: `select id from (select p.id, count(*) over (partition by first_name, last_name, birthdate) as n
          from dispatch_patient p join auth_user u on u.id = p.user_id
          where last_name <> '' and birthdate is not null) e where n > 1`,
  },
  rowsWhere(
    'T05',
    'auth_user',
    `t.first_name = '' or t.last_name ~ '[''",\\\\\\u0303]' or t.first_name ~ '[^\\x20-\\x7e]'`,
  ),
  rowsWhere('T06', 'auth_user', 't.last_login is null'),
  rowsWhere(
    'T07',
    'auth_user',
    `(select count(*) from auth_user_groups m where m.user_id = t.id) <> 1`,
  ),
  rowsWhere(
    'T07',
    'auth_user',
    `exists (select 1 from (${GROUP_OF}) g where g.user_id = t.id and g.name = 'Patient') and not ${IS_PATIENT}`,
  ),
  rowsWhere('T08', 'auth_user', `(t.is_staff or t.is_superuser or ${IS_PATIENT}) and ${IS_DOCTOR}`),
  rowsWhere('T09', 'auth_user', `t.email ~ '@(maker|dev|demonstration)\\.example$'`),
  rowsWhere('T10', 'auth_user', `not t.is_active and ${IS_TREATING}`),
  rowsWhere(
    'T11',
    'auth_user',
    `${IS_TREATING} and not (${HAS_SETTING} and ${HAS_OFFICE_LINK} and ${IS_DOCTOR})`,
  ),
  {
    number: 'T12',
    table: 'auth_user',
    sql: `select user_id as id from dispatch_office_doctors group by user_id having count(*) > 1`,
  },
  rowsWhere('T13', 'dispatch_patient', 't.doctor_id is null or t.office_id is null'),
  rowsWhere(
    'T13',
    'dispatch_patient',
    `t.office_id is not null
     and not exists (select 1 from dispatch_office o where o.id = t.office_id and o.doctor_id = t.doctor_id)
     and not exists (select 1 from dispatch_office_doctors l
       where l.office_id = t.office_id and l.user_id = t.doctor_id)`,
  ),
  {
    number: 'T14',
    table: 'dispatch_patient',
    sql: `select id from (select id, count(*) over (partition by user_id) as n
          from dispatch_patient) e where n > 1`,
  },
  rowsWhere('T15', 'dispatch_patient', `coalesce(length(t.suffix), 0) <> 4`),
  rowsWhere('T15', 'dispatch_patient', SHARED_SUFFIX),
  rowsWhere(
    'T16',
    'dispatch_patient',
    `t.birthdate is null or t.birthdate > date '2025-11-17' or t.birthdate <= date '1900-01-01'
     or t.sex is null or t.sex in (0, 9)`,
  ),
  rowsWhere(
    'T17',
    'dispatch_patient',
    `(t.archived and t.suspended) or t.status is null or t.status not in (1, 2, 4, 10)`,
  ),
  rowsWhere(
    'T18',
    'dispatch_patient',
    `t.schemes is null or btrim(t.schemes, E' \\t\\r\\n') in ('', 'null', '{}') or t.schemes !~ '^[{[].*[]}]$' or t.schemes ~ '''|\\\\u|[0-9]{17}'`,
  ),
  rowsWhere('T19', 'auth_user', `t.username like 'patient-new%' and not ${IS_PATIENT}`),
  rowsWhere(
    'T20',
    'dispatch_payment',
    `exists (select 1 from dispatch_instruction i join dispatch_patient p on p.id = i.patient_id
     where i.id = t.instruction_id and p.doctor_id <> t.doctor_id)`,
  ),
];
