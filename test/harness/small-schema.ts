/** A legacy database in small: every form of relation, key and value that the engine knows. */
export const LEGACY_SCHEMA = `
  create type mood as enum ('sad', 'so so', 'happy, "very"');
  create domain short_text as varchar(20);
  create table auth_user (
    id int primary key, name text not null, email text, last_login timestamptz, password text
  );
  create table office (id int primary key, name text not null, parent_id int);
  create table patient (
    id int primary key, user_id int not null, office_id int, doctor_id int, note text
  );
  create table jaw (id int primary key, kind text not null);
  create table instruction (
    id int primary key, patient_id int not null, status int not null, number text, notes text,
    upper_jaw_id int, lower_jaw_id int
  );
  create table instruction_state (
    id int primary key, instruction_id int not null, status int not null, set_at timestamptz not null
  );
  create table office_user (
    office_id int, user_id int, label text, primary key (office_id, user_id)
  );
  create table django_content_type (
    id int primary key, app_label varchar(100) not null, model varchar(100) not null
  );
  create table record (
    id int primary key, content_type_id int, object_id int, body text
  );
  create table sample (
    id bigint primary key, mood mood, short short_text, ints int[], texts text[], grid int[],
    moods mood[], blob bytea, exact numeric(20,6), loose numeric, doc jsonb, raw json,
    seen timestamptz, day date, flag boolean, ratio float8, code uuid, padded char(5),
    wide text, big bigint, span interval
  );`;

/**
 * The new database. Foreign keys and most unique constraints are checked at commit, as those of
 * the real target are.
 */
export const TARGET_SCHEMA = `
  create type public.mood as enum ('sad', 'so so', 'happy, "very"');
  create domain public.short_text as varchar(20);
  create table profiles (
    id uuid primary key, legacy_id int not null unique,
    name varchar(12) not null check (name <> 'forbidden'),
    email text unique deferrable initially deferred,
    colour text not null default 'blue',
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table doctors (
    id uuid primary key references profiles (id) deferrable initially deferred,
    last_login timestamptz, patients int not null,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table offices (
    id uuid primary key, name text not null,
    parent_id uuid references offices (id) deferrable initially deferred,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table patients (
    id uuid primary key,
    profile_id uuid not null references profiles (id) deferrable initially deferred,
    office_id uuid references offices (id) deferrable initially deferred,
    name text, note text,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create index patients_name on patients (name);
  create table jaws (
    id uuid primary key, kind text not null, order_id uuid,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table orders (
    id uuid primary key,
    patient_id uuid not null references patients (id) deferrable initially deferred,
    office_id uuid references offices (id) deferrable initially deferred,
    upper_jaw_id uuid references jaws (id) deferrable initially deferred,
    lower_jaw_id uuid references jaws (id) deferrable initially deferred,
    number text unique,
    status int not null, notes text, patient_name text, has_states boolean not null,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create unique index orders_number_lower on orders (lower(number)) where number is not null;
  alter table jaws add constraint jaws_order foreign key (order_id) references orders (id)
    deferrable initially deferred;
  create table order_states (
    id uuid primary key,
    order_id uuid not null references orders (id) deferrable initially deferred,
    status int not null, previous_status int, set_at timestamptz not null,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table office_profiles (
    id uuid primary key,
    office_id uuid not null references offices (id) deferrable initially deferred,
    profile_id uuid not null references profiles (id) deferrable initially deferred,
    label text
  );
  create table messages (
    id uuid primary key,
    order_id uuid references orders (id) deferrable initially deferred,
    patient_id uuid references patients (id) deferrable initially deferred,
    about text, body text,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table summaries (
    id uuid primary key,
    patient_id uuid not null references patients (id) deferrable initially deferred,
    office_id uuid references offices (id) deferrable initially deferred,
    orders int not null,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table summary_lines (
    id uuid primary key,
    patient_id uuid not null references patients (id) deferrable initially deferred,
    office_id uuid references offices (id) deferrable initially deferred,
    status int,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table samples (
    id uuid primary key, legacy_id bigint, mood public.mood, short public.short_text, ints int[],
    texts text[], grid int[], moods public.mood[], blob bytea, exact numeric(20,6), loose numeric,
    doc jsonb, raw json, seen timestamptz, day date, flag boolean, ratio float8, code uuid,
    padded char(5), wide text, big bigint, span interval,
    deleted_at timestamptz, updated_at timestamptz not null default now()
  );
  create table status_changes (
    id uuid primary key,
    order_id uuid not null references orders (id) deferrable initially deferred,
    from_status int not null, to_status int not null, changed_at timestamptz not null,
    position bigint generated always as identity
  );`;

/** Every table of `TARGET_SCHEMA`, children before parents. */
export const TARGET_TABLES = [
  'status_changes',
  'samples',
  'summary_lines',
  'summaries',
  'messages',
  'office_profiles',
  'order_states',
  'orders',
  'jaws',
  'patients',
  'doctors',
  'offices',
  'profiles',
] as const;
export type TargetTableName = (typeof TARGET_TABLES)[number];
