-- Messages and payments.
--
-- Columns left to the migrations that create the tables they reference:
--   messages.file_id uuid references files
--   messages.team_id uuid references teams
--   payments.commerce_order_id uuid references commerce_orders

create table public.messages (
  id uuid primary key,
  legacy_record_id integer not null unique,
  message_type_id uuid not null references public.message_types (id) deferrable initially deferred,
  type_code integer,
  legacy_content_type_id integer,
  legacy_object_id integer,
  legacy_model_name text,
  target_status public.target_status not null,
  order_id uuid references public.orders (id) deferrable initially deferred,
  project_id uuid references public.projects (id) deferrable initially deferred,
  treatment_plan_id uuid references public.treatment_plans (id) deferrable initially deferred,
  task_id uuid references public.tasks (id) deferrable initially deferred,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  profile_id uuid references public.profiles (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  case_id uuid references public.cases (id) deferrable initially deferred,
  sender_id uuid references public.profiles (id) deferrable initially deferred,
  recipient_id uuid references public.profiles (id) deferrable initially deferred,
  body text not null,
  is_public boolean,
  sent_at timestamptz,
  -- target-owned: never written by replication
  subject text,
  parent_message_id uuid references public.messages (id) deferrable initially deferred,
  thread_id uuid,
  metadata jsonb not null default '{}',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.messages (legacy_content_type_id, legacy_object_id);
create index on public.messages (order_id, sent_at);
create index on public.messages (patient_id, sent_at);
create index on public.messages (sender_id);

comment on table public.messages is
  'One row per dispatch_record, whatever it is about. The primary target column is the one that legacy_model_name names; others may be set beside it.';
comment on column public.messages.legacy_record_id is 'id of the dispatch_record row, and of nothing else';
comment on column public.messages.legacy_content_type_id is 'legacy column target_type_id';
comment on column public.messages.legacy_object_id is 'legacy column target_id';
comment on column public.messages.legacy_model_name is 'app label and model';
comment on column public.messages.target_status is 'what became of the generic reference (legacy_content_type_id, legacy_object_id)';
comment on column public.messages.order_id is 'target is an instruction, or a plan, task or file of one';
comment on column public.messages.project_id is 'target is a project (or a plan''s project)';
comment on column public.messages.treatment_plan_id is 'target is a plan';
comment on column public.messages.task_id is 'target is a task';
comment on column public.messages.patient_id is 'target is a patient, or a user that is one';
comment on column public.messages.profile_id is 'target is a user';
comment on column public.messages.office_id is 'target is an office';
comment on column public.messages.case_id is 'the patient case of the target';
comment on column public.messages.sender_id is 'legacy column author_id';
comment on column public.messages.recipient_id is 'the targeted user, if the target is one';
comment on column public.messages.body is 'legacy column text; empty string allowed';
comment on column public.messages.is_public is 'legacy column public';
comment on column public.messages.sent_at is 'legacy column created_at';
comment on column public.messages.subject is 'target-owned';
comment on column public.messages.parent_message_id is 'target-owned';
comment on column public.messages.thread_id is 'target-owned';
comment on column public.messages.metadata is 'target-owned';
comment on column public.messages.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.messages.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.messages enable row level security;

create table public.payments (
  id uuid primary key,
  legacy_payment_id integer not null unique,
  payment_number text not null unique deferrable initially deferred,
  order_id uuid references public.orders (id) deferrable initially deferred,
  doctor_id uuid references public.doctors (id) deferrable initially deferred,
  office_id uuid references public.offices (id) deferrable initially deferred,
  patient_id uuid references public.patients (id) deferrable initially deferred,
  subtotal_amount numeric,
  additional_amount numeric,
  custom_amount numeric,
  tax_rate numeric,
  tax_amount numeric,
  used_credit numeric,
  total_amount numeric,
  paid_amount numeric,
  is_free boolean,
  is_paid boolean,
  is_cancelled boolean,
  status public.payment_status not null,
  installments jsonb,
  netsuite boolean,
  payment_method public.payment_method not null,
  made_at timestamptz,
  -- target-owned: never written by replication
  currency char(3) not null default 'USD',
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.payments is
  'The bill of an order or of a shop order (dispatch_payment). Every legacy amount has its own column; nothing is recomputed.';
comment on column public.payments.payment_number is 'PAY- and the legacy id padded to six digits';
comment on column public.payments.order_id is 'legacy column instruction_id';
comment on column public.payments.patient_id is 'through the order';
comment on column public.payments.subtotal_amount is 'legacy column subtotal_price';
comment on column public.payments.additional_amount is 'legacy column additional_price';
comment on column public.payments.custom_amount is 'legacy column custom_price';
comment on column public.payments.tax_amount is 'legacy column tax_value';
comment on column public.payments.total_amount is 'legacy column total_price';
comment on column public.payments.paid_amount is 'legacy column paid_price';
comment on column public.payments.is_free is 'legacy column free';
comment on column public.payments.is_paid is 'legacy column paid';
comment on column public.payments.is_cancelled is 'legacy column canceled';
comment on column public.payments.installments is 'JSON kept as text in the legacy system';
comment on column public.payments.netsuite is 'exported to the accounting system';
comment on column public.payments.payment_method is 'card when an operation has a card brand, else unknown';
comment on column public.payments.currency is 'target-owned';
comment on column public.payments.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.payments.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.payments enable row level security;
