-- Enumerated types.
--
-- A type that decodes a legacy integer has the value unknown, so that a new code cannot stop the
-- stream. Values are only ever added.

create type public.profile_type as enum (
  'patient',
  'doctor',
  'technician',
  'master',
  'sales_person',
  'support_agent',
  'admin',
  'client'
);

create type public.gender as enum ('male', 'female', 'other', 'unknown');

create type public.patient_status as enum ('active', 'suspended', 'archived');

create type public.staff_status as enum ('active', 'inactive', 'terminated', 'on_leave');

create type public.course_type as enum (
  'main',
  'refinement',
  'any',
  'replacement',
  'invoice',
  'merchandise',
  'retainer',
  'emergency',
  'consultation',
  'unknown'
);

create type public.order_status as enum (
  'no_product',
  'submitted',
  'approved',
  'in_production',
  'shipped',
  'add_plan',
  'on_hold',
  'cancelled',
  'completed',
  'unknown'
);

create type public.priority_level as enum ('low', 'medium', 'high', 'urgent');

create type public.case_kind as enum ('patient', 'project');

create type public.case_type as enum (
  'initial_consultation',
  'treatment_planning',
  'active_treatment',
  'refinement',
  'retention',
  'emergency',
  'follow_up',
  'unknown'
);

create type public.case_state as enum (
  'submitted',
  'under_review',
  'planning',
  'approved',
  'in_production',
  'quality_check',
  'shipped',
  'delivered',
  'completed',
  'on_hold',
  'cancelled',
  'treatment_active',
  'case_closed',
  'unknown'
);

create type public.case_status as enum (
  'consultation',
  'diagnosis',
  'treatment_plan',
  'active',
  'refinement',
  'retention',
  'completed',
  'cancelled',
  'on_hold',
  'transferred',
  'revision',
  'unknown'
);

create type public.project_type as enum (
  'treatment_plan',
  'stl_upper',
  'stl_lower',
  'scan',
  'model',
  'clinical_photo',
  'xray',
  'cbct_scan',
  'simulation',
  'aligner_design',
  'impression',
  'document',
  'other',
  'unknown'
);

create type public.project_status as enum (
  'draft',
  'in_review',
  'in_progress',
  'approved',
  'completed',
  'archived',
  'deleted',
  'unknown'
);

create type public.jaw_type as enum ('upper', 'lower', 'both', 'unknown');

create type public.jaw_scope as enum ('both', 'upper', 'lower');

create type public.task_status as enum (
  'pending',
  'in_progress',
  'completed',
  'approved',
  'rejected',
  'cancelled'
);

create type public.task_function as enum (
  'submit',
  'review',
  'approve',
  'process',
  'notify',
  'archive',
  'scan',
  'model',
  'manufacture',
  'quality_check',
  'ship',
  'unknown'
);

create type public.target_status as enum ('none', 'resolved', 'pending', 'missing', 'unsupported');

create type public.payment_status as enum (
  'pending',
  'processing',
  'completed',
  'failed',
  'refunded',
  'cancelled'
);

create type public.payment_method as enum (
  'card',
  'check',
  'insurance',
  'cash',
  'other',
  'unknown'
);
