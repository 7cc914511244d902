-- Workflow templates and tasks.
--
-- Columns left to the migrations that create the tables they reference:
--   workflow_templates.category_id uuid references categories
--   tasks.commerce_order_id uuid references commerce_orders
--   tasks.file_id uuid references files

create table public.workflow_templates (
  id uuid primary key,
  legacy_template_id integer not null unique,
  name text not null,
  task_name text,
  action_name text,
  text_name text,
  order_type_id uuid references public.order_types (id) deferrable initially deferred,
  function_code integer,
  function_type public.task_function not null,
  trigger_status_code integer,
  trigger_status public.order_status,
  duration_code integer,
  estimated_duration interval,
  is_predefined boolean,
  is_read_only boolean,
  is_separate boolean,
  extensions text,
  alerts text,
  case_type public.case_type,
  steps jsonb not null,
  -- target-owned: never written by replication
  office_id uuid references public.offices (id) deferrable initially deferred,
  is_active boolean not null default true,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.workflow_templates is
  'One task definition per dispatch_template row.';
comment on column public.workflow_templates.name is 'task name';
comment on column public.workflow_templates.order_type_id is 'legacy column course_id';
comment on column public.workflow_templates.function_code is 'legacy column function';
comment on column public.workflow_templates.trigger_status_code is 'legacy column status: the order status that creates the task, not an active flag';
comment on column public.workflow_templates.duration_code is 'legacy column duration';
comment on column public.workflow_templates.is_predefined is 'legacy column predefined';
comment on column public.workflow_templates.is_read_only is 'legacy column read_only';
comment on column public.workflow_templates.is_separate is 'legacy column separate';
comment on column public.workflow_templates.extensions is 'file name endings';
comment on column public.workflow_templates.steps is 'ordered list built from the predecessor graph';
comment on column public.workflow_templates.office_id is 'target-owned: null means system wide; the source has no practice';
comment on column public.workflow_templates.is_active is 'target-owned';
comment on column public.workflow_templates.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.workflow_templates.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.workflow_templates enable row level security;

create table public.tasks (
  id uuid primary key,
  legacy_task_id integer not null unique,
  order_id uuid references public.orders (id) deferrable initially deferred,
  treatment_plan_id uuid references public.treatment_plans (id) deferrable initially deferred,
  template_id uuid references public.workflow_templates (id) deferrable initially deferred,
  assigned_to uuid references public.profiles (id) deferrable initially deferred,
  name text,
  action_name text,
  body text,
  jaw_scope public.jaw_scope,
  jaw_code integer,
  checked boolean,
  status public.task_status not null,
  completed_at timestamptz,
  -- target-owned: never written by replication
  assigned_by uuid references public.profiles (id) deferrable initially deferred,
  started_at timestamptz,
  due_at timestamptz,
  quality_score numeric(5,2),
  quality_notes text,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index on public.tasks (order_id);
create index on public.tasks (assigned_to, status);
create index on public.tasks (template_id);

comment on table public.tasks is
  'Work on an order, a shop order, a treatment plan or a file (dispatch_task).';
comment on column public.tasks.order_id is 'legacy column instruction_id';
comment on column public.tasks.treatment_plan_id is 'legacy column plan_id';
comment on column public.tasks.assigned_to is 'legacy column actor_id';
comment on column public.tasks.name is 'the template''s task name';
comment on column public.tasks.action_name is 'the template''s action name';
comment on column public.tasks.body is 'legacy column text';
comment on column public.tasks.jaw_scope is 'decoded jaw_code';
comment on column public.tasks.jaw_code is 'legacy column jaw';
comment on column public.tasks.status is 'completed when checked or completed_at is set, else pending';
comment on column public.tasks.completed_at is 'legacy column done_at';
comment on column public.tasks.assigned_by is 'target-owned';
comment on column public.tasks.started_at is 'target-owned';
comment on column public.tasks.due_at is 'target-owned';
comment on column public.tasks.quality_score is 'target-owned';
comment on column public.tasks.quality_notes is 'target-owned';
comment on column public.tasks.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.tasks.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.tasks enable row level security;
