-- Lookup tables.
--
-- Their seed rows are in 20260101000700_seeds.sql.

create table public.order_types (
  id uuid primary key,
  legacy_course_id integer unique,
  key text not null unique deferrable initially deferred,
  name text not null,
  kind public.course_type not null,
  type_code integer,
  customization jsonb,
  -- target-owned: never written by replication
  description text,
  category text,
  base_price numeric(12,2),
  input_schema jsonb not null default '{}',
  is_active boolean not null default true,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.order_types is
  'Kinds of treatment order (dispatch_course), plus seeds that a legacy course may adopt by having the same id.';
comment on column public.order_types.legacy_course_id is 'null for a seed that no course has adopted';
comment on column public.order_types.key is 'main, refinement, replacement, any, invoice, merchandise by legacy id and type, else course- and the legacy id; never from the name';
comment on column public.order_types.kind is 'decoded type_code';
comment on column public.order_types.type_code is 'legacy column type';
comment on column public.order_types.description is 'target-owned';
comment on column public.order_types.category is 'target-owned';
comment on column public.order_types.base_price is 'target-owned';
comment on column public.order_types.input_schema is 'target-owned';
comment on column public.order_types.is_active is 'target-owned';
comment on column public.order_types.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.order_types.deleted_at is 'set while the legacy rows do not yield this row; never for a seed that no course has adopted';

alter table public.order_types enable row level security;

create table public.order_states (
  id uuid primary key,
  key text not null unique deferrable initially deferred,
  name text not null,
  status public.order_status not null,
  legacy_source text,
  legacy_code integer,
  sequence_order integer not null,
  is_initial boolean not null,
  is_final boolean not null,
  -- target-owned: never written by replication
  color_hex text,
  -- bookkeeping of the target row
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (legacy_source, legacy_code) deferrable initially deferred
);

comment on table public.order_states is
  'Lookup of order states; seeds only. The history is in order_state_history, the raw log in instruction_states.';
comment on column public.order_states.status is 'the enum value it stands for; unknown for the codes of the state log';
comment on column public.order_states.legacy_source is 'instruction_status or dispatch_state; null for a status without a code';
comment on column public.order_states.color_hex is 'target-owned';
comment on column public.order_states.deleted_at is 'unused: the seeds stay';

alter table public.order_states enable row level security;

create table public.message_types (
  id uuid primary key,
  key text not null unique deferrable initially deferred,
  name text not null,
  category text not null,
  legacy_code integer unique deferrable initially deferred,
  -- target-owned: never written by replication
  triggers_state_change boolean not null default false,
  target_state_id uuid references public.order_states (id) deferrable initially deferred,
  body_template text,
  -- bookkeeping of the target row
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.message_types is
  'Lookup of message kinds; seeds only. A legacy code that no row stands for has the type general.';
comment on column public.message_types.category is 'clinical, administrative, workflow, system, unknown';
comment on column public.message_types.legacy_code is 'value of dispatch_record.type it stands for';
comment on column public.message_types.triggers_state_change is 'target-owned';
comment on column public.message_types.target_state_id is 'target-owned';
comment on column public.message_types.body_template is 'target-owned';
comment on column public.message_types.deleted_at is 'unused: the seeds stay';

alter table public.message_types enable row level security;

create table public.content_type_map (
  id uuid primary key,
  legacy_content_type_id integer not null unique,
  app_label text not null,
  model text not null,
  -- target-owned: never written by replication
  target_table text,
  target_column text,
  -- bookkeeping of the target row
  legacy_data jsonb not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.content_type_map is
  'django_content_type. The number belongs to one database; the pair of app_label and model is the stable key.';
comment on column public.content_type_map.target_table is 'target-owned: canonical table, null when not replicated';
comment on column public.content_type_map.target_column is 'target-owned: message column to fill';
comment on column public.content_type_map.legacy_data is 'raw text of the legacy values that did not fit their column, by legacy column name';
comment on column public.content_type_map.deleted_at is 'set while the legacy rows do not yield this row';

alter table public.content_type_map enable row level security;
