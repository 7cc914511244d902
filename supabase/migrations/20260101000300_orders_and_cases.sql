-- Orders, cases, projects and their states.
--
-- orders and jaws point at each other, so the foreign keys of orders to jaws follow behind jaws.
--
-- Columns left to the migrations that create the tables they reference:
--   jaws.product_id uuid references products

create table public.cases (
  id uuid primary key,
  kind public.case_kind not null,
  legacy_patient_id integer unique,
  legacy_project_id integer unique,
  parent_case_id uuid references public.cases (id) deferrable initially deferred,
  case_number text not null unique deferrable initially deferred,
  title text,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  doctor_id uuid references public.doctors (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  case_type public.case_type not null,
  case_type_code integer,
  current_state public.case_state not null,
  status public.case_status not null,
  resolution text not null,
  opened_at timestamptz,
  closed_at timestamptz,
  -- target-owned: never written by replication
  priority public.priority_level not null default 'medium',
  metadata jsonb not null default '{}',
  -- bookkeeping of the target row
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint cases_kind_check check (
    (kind = 'patient' and legacy_patient_id is not null and legacy_project_id is null)
    or (kind = 'project' and legacy_project_id is not null and legacy_patient_id is null)
  )
);

create index on public.cases (patient_id, kind);
create index on public.cases (office_id);
create index on public.cases (current_state);

comment on table public.cases is
  'One case per patient and one per project, told apart by kind. A project case points at its patient case.';
comment on column public.cases.legacy_patient_id is 'set only for kind patient';
comment on column public.cases.legacy_project_id is 'set only for kind project';
comment on column public.cases.parent_case_id is 'project case to patient case';
comment on column public.cases.case_number is 'CASE-<suffix>-<patient id>, CASE-PT-<patient id> without a suffix, CASE-<project id> for a project case';
comment on column public.cases.title is 'project name, or first and last name of the patient';
comment on column public.cases.patient_id is 'null when a project cannot be traced to a patient';
comment on column public.cases.case_type_code is 'raw project type for kind project';
comment on column public.cases.status is 'life cycle, decoded from the raw status code of the patient';
comment on column public.cases.resolution is 'how the patient was found: own (the patient case itself), plan, none';
comment on column public.cases.opened_at is 'created_at of the legacy project, submitted_at of the patient';
comment on column public.cases.closed_at is 'always null: no legacy source';
comment on column public.cases.priority is 'target-owned';
comment on column public.cases.metadata is 'target-owned';
comment on column public.cases.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.cases enable row level security;

create table public.orders (
  id uuid primary key,
  legacy_instruction_id integer not null unique,
  order_number text not null unique deferrable initially deferred,
  order_type_id uuid references public.order_types (id) deferrable initially deferred,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  doctor_id uuid references public.doctors (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  case_id uuid references public.cases (id) deferrable initially deferred,
  course_type public.course_type not null,
  status public.order_status not null,
  status_code integer,
  current_state_id uuid references public.order_states (id) deferrable initially deferred,
  sequence_number integer,
  suffix text,
  title text,
  model_code integer,
  scanner_code integer,
  scanner_notes text,
  upper_jaw_id uuid,
  lower_jaw_id uuid,
  notes text,
  complaint text,
  objective text,
  conditions text,
  exports jsonb,
  comprehensive boolean,
  cbct boolean,
  accept_extraction boolean,
  price numeric,
  subtotal_amount numeric,
  tax_amount numeric,
  total_amount numeric,
  is_deleted boolean not null,
  submitted_at timestamptz,
  approved_at timestamptz,
  shipped_at timestamptz,
  source_updated_at timestamptz,
  -- target-owned: never written by replication
  currency char(3) not null default 'USD',
  priority public.priority_level not null default 'medium',
  metadata jsonb not null default '{}',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.orders (patient_id);
create index on public.orders (doctor_id);
create index on public.orders (office_id);
create index on public.orders (status);
create index on public.orders (submitted_at);

comment on table public.orders is
  'The treatment order (dispatch_instruction). Not the shop order.';
comment on column public.orders.order_number is '<suffix of the order, else of the patient>-<legacy id>, ORD-<legacy id> without either';
comment on column public.orders.order_type_id is 'legacy column course_id';
comment on column public.orders.doctor_id is 'the patient''s current doctor; the source keeps no history here';
comment on column public.orders.office_id is 'the patient''s current office; the source keeps no history here';
comment on column public.orders.case_id is 'the patient case';
comment on column public.orders.course_type is 'copy of the order type''s kind';
comment on column public.orders.status is 'decoded status_code';
comment on column public.orders.current_state_id is 'by the status code; null for a code without a state';
comment on column public.orders.sequence_number is 'legacy column order: ordinal of the instruction for the patient';
comment on column public.orders.title is 'order type name, a blank, ordinal';
comment on column public.orders.model_code is 'legacy column model (a code, not a foreign key)';
comment on column public.orders.scanner_code is 'legacy column scanner';
comment on column public.orders.exports is 'JSON kept as text in the legacy system';
comment on column public.orders.subtotal_amount is 'of the order''s payment with the highest legacy id that is not cancelled';
comment on column public.orders.tax_amount is 'of the order''s payment with the highest legacy id that is not cancelled';
comment on column public.orders.total_amount is 'of the order''s payment with the highest legacy id that is not cancelled';
comment on column public.orders.currency is 'target-owned';
comment on column public.orders.is_deleted is 'business flag of the legacy system; a row deleted there has deleted_at';
comment on column public.orders.approved_at is 'null while the meaning of the state log''s codes is contested';
comment on column public.orders.shipped_at is 'null while the meaning of the state log''s codes is contested';
comment on column public.orders.source_updated_at is 'legacy column updated_at';
comment on column public.orders.priority is 'target-owned';
comment on column public.orders.metadata is 'target-owned';
comment on column public.orders.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.orders.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.orders enable row level security;

create table public.jaws (
  id uuid primary key,
  legacy_jaw_id integer not null unique,
  order_id uuid references public.orders (id) deferrable initially deferred,
  jaw_type public.jaw_type not null,
  labial boolean,
  bond_teeth text,
  extract_teeth text,
  reason_code integer,
  replacement_reason text,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter table public.orders add constraint orders_upper_jaw_id_fkey
  foreign key (upper_jaw_id) references public.jaws (id) deferrable initially deferred;
alter table public.orders add constraint orders_lower_jaw_id_fkey
  foreign key (lower_jaw_id) references public.jaws (id) deferrable initially deferred;

comment on table public.jaws is
  'One jaw of an order (dispatch_jaw). The legacy jaw has no parent column; the instruction points at it.';
comment on column public.jaws.order_id is 'the instruction that references it; null when none';
comment on column public.jaws.jaw_type is 'which of the two references matched';
comment on column public.jaws.bond_teeth is 'bit string, one character per tooth';
comment on column public.jaws.extract_teeth is 'bit string';
comment on column public.jaws.reason_code is 'legacy column reason';
comment on column public.jaws.replacement_reason is 'decoded reason_code';
comment on column public.jaws.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.jaws.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.jaws enable row level security;

create table public.projects (
  id uuid primary key,
  legacy_project_id integer not null unique,
  legacy_uid uuid,
  case_id uuid references public.cases (id) deferrable initially deferred,
  order_id uuid references public.orders (id) deferrable initially deferred,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  creator_id uuid references public.profiles (id) deferrable initially deferred,
  name text,
  project_number text not null unique deferrable initially deferred,
  project_type public.project_type not null,
  type_code integer,
  status public.project_status not null,
  status_code integer,
  file_size bigint,
  is_public boolean not null,
  source_created_at timestamptz,
  -- target-owned: never written by replication
  storage_bucket text default 'projects',
  storage_path text,
  mime_type text,
  checksum_sha256 text,
  version integer not null default 1,
  parent_project_id uuid references public.projects (id) deferrable initially deferred,
  metadata jsonb not null default '{}',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.projects (case_id);
create index on public.projects (order_id);
create index on public.projects (creator_id);
create index on public.projects (project_type);
create index on public.projects (legacy_uid);

comment on table public.projects is
  'The digital asset (dispatch_project). Its business container is the project case, case_id.';
comment on column public.projects.legacy_project_id is 'legacy column id';
comment on column public.projects.legacy_uid is 'legacy column uid';
comment on column public.projects.case_id is 'the project case';
comment on column public.projects.order_id is 'via the original plan of the project';
comment on column public.projects.patient_id is 'via the order';
comment on column public.projects.project_number is 'PRJ-<year and month of creation in UTC>-<legacy id>';
comment on column public.projects.file_size is 'legacy column size; null where it is negative, with the raw text in legacy_data';
comment on column public.projects.is_public is 'legacy column public';
comment on column public.projects.source_created_at is 'legacy column created_at';
comment on column public.projects.storage_bucket is 'target-owned';
comment on column public.projects.storage_path is 'target-owned: null until the bytes have been copied and verified';
comment on column public.projects.mime_type is 'target-owned';
comment on column public.projects.checksum_sha256 is 'target-owned';
comment on column public.projects.version is 'target-owned';
comment on column public.projects.parent_project_id is 'target-owned';
comment on column public.projects.metadata is 'target-owned';
comment on column public.projects.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.projects.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.projects enable row level security;

create table public.treatment_plans (
  id uuid primary key,
  legacy_plan_id integer not null unique,
  order_id uuid references public.orders (id) deferrable initially deferred,
  project_id uuid references public.projects (id) deferrable initially deferred,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  doctor_id uuid references public.doctors (id) deferrable initially deferred,
  plan_number integer,
  name text,
  notes text,
  is_original boolean,
  treatment_type text not null,
  revision_count integer,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.treatment_plans is
  'One row per dispatch_plan. A project may have several.';
comment on column public.treatment_plans.order_id is 'legacy column instruction_id';
comment on column public.treatment_plans.patient_id is 'through the order';
comment on column public.treatment_plans.doctor_id is 'through the order';
comment on column public.treatment_plans.plan_number is 'legacy column number';
comment on column public.treatment_plans.is_original is 'legacy column original';
comment on column public.treatment_plans.treatment_type is 'initial_treatment when original, else revision';
comment on column public.treatment_plans.revision_count is 'rank among the plans of the order, from 0';
comment on column public.treatment_plans.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.treatment_plans.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.treatment_plans enable row level security;

create table public.instruction_states (
  id uuid primary key,
  legacy_state_id integer not null unique,
  order_id uuid references public.orders (id) deferrable initially deferred,
  status_code integer not null,
  status_label text,
  is_on boolean not null,
  changed_at timestamptz not null,
  changed_by_id uuid references public.profiles (id) deferrable initially deferred,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.instruction_states (order_id, changed_at, legacy_state_id);

comment on table public.instruction_states is
  'The legacy state log (dispatch_state), one to one and uninterpreted.';
comment on column public.instruction_states.order_id is 'legacy column instruction_id';
comment on column public.instruction_states.status_code is 'legacy column status';
comment on column public.instruction_states.status_label is 'decoded status_code';
comment on column public.instruction_states.is_on is 'legacy column on';
comment on column public.instruction_states.changed_by_id is 'legacy column actor_id';
comment on column public.instruction_states.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.instruction_states.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.instruction_states enable row level security;

create table public.order_state_history (
  id uuid primary key,
  order_id uuid not null references public.orders (id) deferrable initially deferred,
  from_state_id uuid references public.order_states (id) deferrable initially deferred,
  to_state_id uuid references public.order_states (id) deferrable initially deferred,
  from_status public.order_status,
  to_status public.order_status not null,
  changed_at timestamptz not null,
  changed_by_id uuid references public.profiles (id) deferrable initially deferred,
  duration_in_previous interval,
  origin text not null,
  legacy_state_id integer unique,
  source_commit_lsn pg_lsn,
  source_change_lsn pg_lsn,
  -- bookkeeping of the target row
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint order_state_history_origin_check check (origin in ('state_log', 'observed_change'))
);

-- An index, since a constraint cannot have a condition; so it is checked at once.
create unique index order_state_history_observed_key
  on public.order_state_history (order_id, source_commit_lsn, source_change_lsn)
  where origin = 'observed_change';

comment on table public.order_state_history is
  'Transitions of an order. Origin state_log is derived from instruction_states and can be rebuilt; origin observed_change is a journal of the status changes that the replicator saw: appended once, never changed or removed.';
comment on column public.order_state_history.from_state_id is 'null for the first, and after an "off" entry';
comment on column public.order_state_history.to_state_id is 'null for an "off" entry';
comment on column public.order_state_history.from_status is 'null for the first of the log';
comment on column public.order_state_history.duration_in_previous is 'window over the whole order and origin, null for the first';
comment on column public.order_state_history.origin is 'state_log or observed_change';
comment on column public.order_state_history.legacy_state_id is 'the dispatch_state row; null for an observed change';
comment on column public.order_state_history.source_commit_lsn is 'with source_change_lsn: version of an observed change; null for the log';
comment on column public.order_state_history.deleted_at is 'set while the legacy rows do not yield this row; never for an observed change';

alter table public.order_state_history enable row level security;
