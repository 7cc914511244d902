import type { ExpectedTable } from './table.ts';

/** The one plan that speaks for a project: the original, else the one with the smallest id. */
const CHOSEN_PLAN = `
  chosen_plan as (
    select distinct on (project_id) project_id, instruction_id from dispatch_plan
    order by project_id, original is true desc, id
  )`;

const orders: ExpectedTable = {
  table: 'orders',
  targetOwned: ['currency', 'priority', 'metadata'],
  legacyJson: ['exports'],
  sql: `
    with last_payment as (
      select distinct on (instruction_id) instruction_id, subtotal_price, tax_value, total_price
      from dispatch_payment where canceled is not true order by instruction_id, id desc
    )
    select pg_temp.ref('order', i.id) as id,
      i.id as legacy_instruction_id,
      coalesce(nullif(i.suffix, ''), nullif(p.suffix, ''), 'ORD') || '-' || i.id as order_number,
      pg_temp.ref('order_type', i.course_id) as order_type_id,
      pg_temp.ref('patient', i.patient_id) as patient_id,
      pg_temp.ref('profile', p.doctor_id) as doctor_id,
      pg_temp.ref('office', p.office_id) as office_id,
      pg_temp.ref('patient_case', i.patient_id) as case_id,
      pg_temp.course_kind(c.type) as course_type,
      pg_temp.order_status(i.status) as status,
      i.status as status_code,
      pg_temp.instruction_status_state(i.status) as current_state_id,
      i."order" as sequence_number,
      nullif(i.suffix, '') as suffix,
      case when c.id is not null then coalesce(c.name, '') || coalesce(' ' || i."order", '') end
        as title,
      i.model as model_code,
      i.scanner as scanner_code,
      nullif(i.scanner_notes, '') as scanner_notes,
      pg_temp.ref('jaw', i.upper_jaw_id) as upper_jaw_id,
      pg_temp.ref('jaw', i.lower_jaw_id) as lower_jaw_id,
      nullif(i.notes, '') as notes,
      nullif(i.complaint, '') as complaint,
      nullif(i.objective, '') as objective,
      nullif(i.conditions, '') as conditions,
      i.exports,
      i.comprehensive,
      i.cbct,
      i.accept_extraction,
      i.price,
      pay.subtotal_price as subtotal_amount,
      pay.tax_value as tax_amount,
      pay.total_price as total_amount,
      coalesce(i.deleted, false) as is_deleted,
      i.submitted_at::timestamptz as submitted_at,
      null as approved_at,
      null as shipped_at,
      i.updated_at::timestamptz as source_updated_at,
      '{}' as legacy_data
    from dispatch_instruction i
    left join dispatch_patient p on p.id = i.patient_id
    left join dispatch_course c on c.id = i.course_id
    left join last_payment pay on pay.instruction_id = i.id`,
};

const jaws: ExpectedTable = {
  table: 'jaws',
  targetOwned: [],
  sql: `
    with naming (jaw_id, instruction_id, side) as (
      select upper_jaw_id, id, 'upper' from dispatch_instruction where upper_jaw_id is not null
      union all
      select lower_jaw_id, id, 'lower' from dispatch_instruction where lower_jaw_id is not null
    ),
    named as (
      select jaw_id, min(instruction_id) as instruction_id,
        case when count(distinct side) > 1 then 'both' else min(side) end as side
      from naming group by jaw_id
    )
    select pg_temp.ref('jaw', j.id) as id,
      j.id as legacy_jaw_id,
      pg_temp.ref('order', n.instruction_id) as order_id,
      pg_temp.ref('product', j.product_id) as product_id,
      coalesce(n.side, 'unknown') as jaw_type,
      j.labial,
      nullif(j.bond_teeth, '') as bond_teeth,
      nullif(j.extract_teeth, '') as extract_teeth,
      j.reason as reason_code,
      case j.reason when 1 then 'breakage' end as replacement_reason,
      '{}' as legacy_data
    from dispatch_jaw j left join named n on n.jaw_id = j.id`,
};

const instructionStates: ExpectedTable = {
  table: 'instruction_states',
  targetOwned: [],
  sql: `
    select pg_temp.ref('instruction_state', s.id) as id,
      s.id as legacy_state_id,
      pg_temp.ref('order', s.instruction_id) as order_id,
      s.status as status_code,
      case when s.status in (11, 12) then 'state ' || s.status end as status_label,
      coalesce(s."on", false) as is_on,
      s.changed_at::timestamptz as changed_at,
      pg_temp.ref('profile', s.actor_id) as changed_by_id,
      '{}' as legacy_data
    from dispatch_state s`,
};

const stateLog: ExpectedTable = {
  table: 'order_state_history',
  part: `origin = 'state_log'`,
  targetOwned: [],
  sql: `
    with entry as (
      select s.*, lag(s.id) over log as before_id, lag(s.status) over log as before_status,
        lag(s."on") over log as before_on, lag(s.changed_at) over log as before_at
      from dispatch_state s
      window log as (partition by s.instruction_id order by s.changed_at, s.id)
    )
    select pg_temp.ref('order_state_entry', e.id) as id,
      pg_temp.ref('order', e.instruction_id) as order_id,
      case when e.before_on then pg_temp.log_state(e.before_status) end as from_state_id,
      case when e."on" then pg_temp.log_state(e.status) end as to_state_id,
      case when e.before_id is not null then 'unknown' end as from_status,
      'unknown' as to_status,
      e.changed_at::timestamptz as changed_at,
      pg_temp.ref('profile', e.actor_id) as changed_by_id,
      -- An interval could not be infinite before PostgreSQL 17: such a difference has no value.
      case when isfinite(e.changed_at) and isfinite(e.before_at)
        then e.changed_at::timestamptz - e.before_at::timestamptz end as duration_in_previous,
      'state_log' as origin,
      e.id as legacy_state_id,
      null as source_commit_lsn,
      null as source_change_lsn
    from entry e`,
};

const projects: ExpectedTable = {
  table: 'projects',
  targetOwned: [
    ...['storage_bucket', 'storage_path', 'mime_type', 'checksum_sha256', 'version'],
    ...['parent_project_id', 'metadata'],
  ],
  sql: `
    with ${CHOSEN_PLAN}
    select pg_temp.ref('project', j.id) as id,
      j.id as legacy_project_id,
      j.uid as legacy_uid,
      pg_temp.ref('project_case', j.id) as case_id,
      pg_temp.ref('order', i.id) as order_id,
      pg_temp.ref('patient', p.id) as patient_id,
      pg_temp.ref('office', p.office_id) as office_id,
      pg_temp.ref('profile', j.creator_id) as creator_id,
      nullif(j.name, '') as name,
      'PRJ-' || case when isfinite(j.created_at)
        then to_char(j.created_at::timestamptz at time zone 'UTC', 'YYYYMM') else '000000' end
        || '-' || j.id as project_number,
      pg_temp.project_type(j.type) as project_type,
      j.type as type_code,
      pg_temp.project_status(j.status) as status,
      j.status as status_code,
      case when j.size >= 0 then j.size end as file_size,
      coalesce(j.public, false) as is_public,
      j.created_at::timestamptz as source_created_at,
      case when j.size < 0 then jsonb_build_object('size', j.size::text) else '{}' end
        as legacy_data
    from dispatch_project j
    left join chosen_plan l on l.project_id = j.id
    left join dispatch_instruction i on i.id = l.instruction_id
    left join dispatch_patient p on p.id = i.patient_id`,
};

const treatmentPlans: ExpectedTable = {
  table: 'treatment_plans',
  targetOwned: [],
  sql: `
    select pg_temp.ref('treatment_plan', l.id) as id,
      l.id as legacy_plan_id,
      pg_temp.ref('order', l.instruction_id) as order_id,
      pg_temp.ref('project', l.project_id) as project_id,
      pg_temp.ref('patient', i.patient_id) as patient_id,
      pg_temp.ref('profile', p.doctor_id) as doctor_id,
      l.number as plan_number,
      nullif(l.name, '') as name,
      nullif(l.notes, '') as notes,
      l.original as is_original,
      case when l.original then 'initial_treatment' else 'revision' end as treatment_type,
      row_number() over (
        partition by l.instruction_id order by l.number nulls last, l.id) - 1 as revision_count,
      '{}' as legacy_data
    from dispatch_plan l
    left join dispatch_instruction i on i.id = l.instruction_id
    left join dispatch_patient p on p.id = i.patient_id`,
};

/** Case states by order status and by project status (mapping 3.5). */
const STATE_OF_ORDER = `case pg_temp.order_status(newest.status)
  when 'submitted' then 'submitted' when 'approved' then 'approved'
  when 'in_production' then 'in_production' when 'shipped' then 'shipped'
  when 'on_hold' then 'on_hold' when 'cancelled' then 'cancelled'
  when 'add_plan' then 'planning' when 'no_product' then 'submitted'
  when 'completed' then 'completed' else 'unknown' end`;

const STATE_OF_PROJECT = `case pg_temp.project_status(j.status)
  when 'draft' then 'submitted' when 'in_progress' then 'planning'
  when 'in_review' then 'under_review' when 'approved' then 'approved'
  when 'completed' then 'completed' when 'archived' then 'case_closed'
  when 'deleted' then 'cancelled' else 'unknown' end`;

const PATIENT_CASES = `
  select pg_temp.ref('patient_case', p.id) as id,
    'patient' as kind,
    p.id as legacy_patient_id,
    null::integer as legacy_project_id,
    null::text as parent_case_id,
    'CASE-' || coalesce(nullif(p.suffix, ''), 'PT') || '-' || p.id as case_number,
    nullif(concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')), '') as title,
    pg_temp.ref('patient', p.id) as patient_id,
    pg_temp.ref('profile', p.doctor_id) as doctor_id,
    pg_temp.ref('office', p.office_id) as office_id,
    case when newest.id is null then 'initial_consultation'
      when pg_temp.course_kind(c.type) = 'refinement' then 'refinement'
      else 'active_treatment' end as case_type,
    null::integer as case_type_code,
    case when newest.id is null then 'submitted' else ${STATE_OF_ORDER} end as current_state,
    pg_temp.case_status(p.status) as status,
    'own' as resolution,
    p.submitted_at::timestamptz as opened_at,
    null as closed_at
  from dispatch_patient p
  left join auth_user u on u.id = p.user_id
  left join newest_order newest on newest.patient_id = p.id
  left join dispatch_course c on c.id = newest.course_id`;

const PROJECT_CASES = `
  select pg_temp.ref('project_case', j.id),
    'project',
    null,
    j.id,
    pg_temp.ref('patient_case', p.id),
    'CASE-' || j.id,
    nullif(j.name, ''),
    pg_temp.ref('patient', p.id),
    pg_temp.ref('profile', p.doctor_id),
    pg_temp.ref('office', p.office_id),
    case when pg_temp.course_kind(c.type) = 'refinement' then 'refinement'
      when pg_temp.project_type(j.type) in ('treatment_plan', 'simulation', 'aligner_design')
        then 'treatment_planning'
      when pg_temp.project_type(j.type)
        in ('scan', 'stl_upper', 'stl_lower', 'model', 'clinical_photo', 'xray', 'cbct_scan',
          'impression') then 'initial_consultation'
      else 'unknown' end,
    j.type,
    ${STATE_OF_PROJECT},
    case when p.id is null then 'unknown' else pg_temp.case_status(p.status) end,
    case when p.id is null then 'none' else 'plan' end,
    j.created_at::timestamptz,
    null
  from dispatch_project j
  left join chosen_plan l on l.project_id = j.id
  left join dispatch_instruction i on i.id = l.instruction_id
  left join dispatch_course c on c.id = i.course_id
  left join dispatch_patient p on p.id = i.patient_id`;

const cases: ExpectedTable = {
  table: 'cases',
  targetOwned: ['priority', 'metadata'],
  sql: `
    with ${CHOSEN_PLAN},
    newest_order as (
      select distinct on (patient_id) id, patient_id, course_id, status from dispatch_instruction
      order by patient_id, id desc
    )
    ${PATIENT_CASES} union all ${PROJECT_CASES}`,
};

export const ORDERS: readonly ExpectedTable[] = [
  ...[orders, jaws, instructionStates, stateLog, projects, treatmentPlans, cases],
];

export const CHOSEN_PLAN_OF_PROJECT = CHOSEN_PLAN;
