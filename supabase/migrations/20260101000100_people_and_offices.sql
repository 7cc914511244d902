-- People and places of care.
--
-- No primary key in this schema has a default: an id is computed from the legacy id
-- (tandem.uuid_of), so an insert that forgets it has to fail. created_at and updated_at are the
-- times of the target row; legacy times have columns of their own. Unique constraints on a legacy
-- id are immediate; all others, and all foreign keys, are deferred to the commit, because numbers
-- change places and parents may arrive in the same transaction as their children.

create table public.offices (
  id uuid primary key,
  legacy_office_id integer not null unique,
  name text not null,
  address_line1 text,
  address_line2 text,
  city text,
  state text,
  postal_code text,
  country text,
  country_code char(2),
  phone text,
  phone_e164 text,
  tax_rate numeric,
  square_customer_id text,
  emails_enabled boolean,
  is_valid boolean not null,
  legacy_doctor_user_id integer,
  -- target-owned: never written by replication
  email text,
  website text,
  tax_id text,
  netsuite_id text,
  settings jsonb not null default '{}',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.offices is
  'Places of care. One row per dispatch_office, valid or not. Names are not unique.';
comment on column public.offices.address_line1 is 'legacy column address';
comment on column public.offices.address_line2 is 'legacy column apt';
comment on column public.offices.city is 'case kept as typed';
comment on column public.offices.postal_code is 'legacy column zip, unmodified text';
comment on column public.offices.country_code is 'ISO 3166 alpha-2, normalised from country; null when unknown, never a default';
comment on column public.offices.phone_e164 is 'phone as E.164, only when it is a valid number';
comment on column public.offices.emails_enabled is 'legacy column emails';
comment on column public.offices.is_valid is 'legacy column valid';
comment on column public.offices.legacy_doctor_user_id is 'legacy column doctor_id: the owner from the time before the link table';
comment on column public.offices.email is 'target-owned: no legacy source';
comment on column public.offices.website is 'target-owned: no legacy source';
comment on column public.offices.tax_id is 'target-owned: no legacy source';
comment on column public.offices.netsuite_id is 'target-owned: no legacy source';
comment on column public.offices.settings is 'target-owned';
comment on column public.offices.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.offices.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.offices enable row level security;

create table public.profiles (
  id uuid primary key,
  legacy_user_id integer not null unique,
  legacy_patient_id integer,
  profile_type public.profile_type not null,
  profile_type_reason text not null,
  username text,
  email text,
  first_name text not null default '',
  last_name text not null default '',
  is_active boolean not null,
  is_staff boolean not null,
  is_superuser boolean not null,
  joined_at timestamptz,
  last_login_at timestamptz,
  primary_office_id uuid references public.offices (id) deferrable initially deferred,
  is_test_account boolean not null,
  -- target-owned: never written by replication
  auth_user_id uuid unique deferrable initially deferred,
  phone text,
  avatar_url text,
  credentials jsonb not null default '{}',
  metadata jsonb not null default '{}',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.profiles (lower(email));
create index on public.profiles (profile_type);
create index on public.profiles (legacy_patient_id);

comment on table public.profiles is
  'One row per login account (auth_user), whatever the kind of person. E-mail is neither unique nor mandatory. The legacy password hash is not replicated.';
comment on column public.profiles.legacy_user_id is 'auth_user.id';
comment on column public.profiles.legacy_patient_id is 'smallest id of the dispatch_patient rows that point at this user';
comment on column public.profiles.profile_type is 'detected from patient rows, groups, roles and flags';
comment on column public.profiles.profile_type_reason is 'name of the rule that decided profile_type';
comment on column public.profiles.email is 'as stored but for ASCII spaces at both ends; empty string becomes null';
comment on column public.profiles.joined_at is 'legacy column date_joined';
comment on column public.profiles.last_login_at is 'legacy column last_login';
comment on column public.profiles.primary_office_id is 'the patient''s office for a patient; else the office of the smallest live office link';
comment on column public.profiles.is_test_account is 'by the e-mail''s domain or the username; a flag only, never a filter';
comment on column public.profiles.auth_user_id is 'target-owned: the Supabase auth user once invited; never derived from e-mail. No foreign key, so that the migrations apply without the auth schema';
comment on column public.profiles.phone is 'target-owned: no legacy source';
comment on column public.profiles.avatar_url is 'target-owned: no legacy source';
comment on column public.profiles.credentials is 'target-owned: licence number, specialties';
comment on column public.profiles.metadata is 'target-owned';
comment on column public.profiles.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.profiles.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.profiles enable row level security;

create table public.doctors (
  id uuid primary key references public.profiles (id) deferrable initially deferred,
  legacy_user_id integer not null unique,
  doctor_number text not null unique deferrable initially deferred,
  primary_office_id uuid references public.offices (id) deferrable initially deferred,
  status public.staff_status not null,
  detection_reasons text[] not null,
  has_patients boolean not null,
  -- target-owned: never written by replication
  specialty text,
  max_patient_load integer,
  -- bookkeeping of the target row
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.doctors is
  'Subtype of profiles with the same primary key: every user that some legacy row names as a doctor, whatever the profile type says. Derived; soft-deleted when the last reason is gone.';
comment on column public.doctors.doctor_number is 'DOC- and the legacy user id padded to six digits';
comment on column public.doctors.primary_office_id is 'office of the smallest live office link';
comment on column public.doctors.status is 'from is_active of the account';
comment on column public.doctors.detection_reasons is 'which of group, has_notes, has_offers, has_orders, has_patients, has_payments, office_link and setting hold, sorted by name';
comment on column public.doctors.has_patients is 'a patient row names the doctor, archived or not';
comment on column public.doctors.specialty is 'target-owned';
comment on column public.doctors.max_patient_load is 'target-owned';
comment on column public.doctors.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.doctors enable row level security;

create table public.patients (
  id uuid primary key,
  legacy_patient_id integer not null unique,
  legacy_user_id integer not null,
  profile_id uuid not null references public.profiles (id) deferrable initially deferred,
  patient_number text not null unique deferrable initially deferred,
  suffix text,
  date_of_birth date,
  gender public.gender not null,
  sex_code integer,
  status_code integer,
  status public.patient_status not null,
  archived boolean not null,
  suspended boolean not null,
  schemes jsonb,
  primary_doctor_id uuid references public.doctors (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  enrolled_at timestamptz,
  source_updated_at timestamptz,
  -- target-owned: never written by replication
  merged_into_id uuid references public.patients (id) deferrable initially deferred,
  phone text,
  address text,
  city text,
  state text,
  zip_code text,
  insurance_provider text,
  insurance_id text,
  emergency_contact_name text,
  emergency_contact_phone text,
  medical_history jsonb,
  allergies text,
  medications text,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.patients (profile_id);
create index on public.patients (office_id);
create index on public.patients (primary_doctor_id);
create index on public.patients (date_of_birth);

comment on table public.patients is
  'One row per dispatch_patient. The account that bears the name and the e-mail is profile_id; several patients may share one.';
comment on column public.patients.legacy_patient_id is 'dispatch_patient.id';
comment on column public.patients.legacy_user_id is 'dispatch_patient.user_id';
comment on column public.patients.profile_id is 'legacy column user_id';
comment on column public.patients.patient_number is 'PAT- and the legacy id padded to six digits';
comment on column public.patients.suffix is 'short code, mostly of four characters, used in order and case numbers; not unique';
comment on column public.patients.date_of_birth is 'legacy column birthdate';
comment on column public.patients.gender is 'decoded sex_code';
comment on column public.patients.sex_code is 'legacy column sex';
comment on column public.patients.status_code is 'legacy column status';
comment on column public.patients.status is 'archived, else suspended, else active; not the decode of status_code';
comment on column public.patients.schemes is 'JSON kept as text in the legacy system; unparsable text is a JSON string';
comment on column public.patients.primary_doctor_id is 'legacy column doctor_id, a user id';
comment on column public.patients.enrolled_at is 'legacy column submitted_at';
comment on column public.patients.source_updated_at is 'legacy column updated_at';
comment on column public.patients.merged_into_id is 'target-owned: set by a reviewed dedup decision; the row itself is never removed';
comment on column public.patients.phone is 'target-owned: absent in the legacy system';
comment on column public.patients.address is 'target-owned: absent in the legacy system';
comment on column public.patients.city is 'target-owned: absent in the legacy system';
comment on column public.patients.state is 'target-owned: absent in the legacy system';
comment on column public.patients.zip_code is 'target-owned: absent in the legacy system';
comment on column public.patients.insurance_provider is 'target-owned: absent in the legacy system';
comment on column public.patients.insurance_id is 'target-owned: absent in the legacy system';
comment on column public.patients.emergency_contact_name is 'target-owned: absent in the legacy system';
comment on column public.patients.emergency_contact_phone is 'target-owned: absent in the legacy system';
comment on column public.patients.medical_history is 'target-owned';
comment on column public.patients.allergies is 'target-owned';
comment on column public.patients.medications is 'target-owned';
comment on column public.patients.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.patients.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.patients enable row level security;
