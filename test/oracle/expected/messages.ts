import { CHOSEN_PLAN_OF_PROJECT } from './orders.ts';
import type { ExpectedTable } from './table.ts';

/** Models that a record can be about; any other is kept as a raw pair (mapping 3.2). */
const SUPPORTED = [
  ...['dispatch.instruction', 'dispatch.project', 'dispatch.plan', 'dispatch.task'],
  ...['dispatch.file', 'dispatch.patient', 'dispatch.office', 'auth.user', 'dispatch.user'],
];

const messages: ExpectedTable = {
  table: 'messages',
  targetOwned: ['subject', 'parent_message_id', 'thread_id', 'metadata'],
  sql: `
    with ${CHOSEN_PLAN_OF_PROJECT},
    record as (
      select r.*, t.app_label || '.' || t.model as model
      from dispatch_record r left join django_content_type t on t.id = r.target_type_id
    ),
    patient_of_user as (select user_id, min(id) as id from dispatch_patient group by user_id),
    aimed as (
      select r.*, i.id as instruction_id, j.id as project_id, l.id as plan_id,
        l.project_id as plan_project_id, k.id as task_id, f.id as file_id, u.id as user_id,
        o.id as office_id,
        coalesce(p.id, pu.id) as patient_id,
        coalesce(i.id, l.instruction_id, k.instruction_id, f.instruction_id) as order_id,
        chosen.instruction_id as project_order_id
      from record r
      left join dispatch_instruction i on r.model = 'dispatch.instruction' and i.id = r.target_id
      left join dispatch_project j on r.model = 'dispatch.project' and j.id = r.target_id
      left join chosen_plan chosen on chosen.project_id = j.id
      left join dispatch_plan l on r.model = 'dispatch.plan' and l.id = r.target_id
      left join dispatch_task k on r.model = 'dispatch.task' and k.id = r.target_id
      left join dispatch_file f on r.model = 'dispatch.file' and f.id = r.target_id
      left join dispatch_patient p on r.model = 'dispatch.patient' and p.id = r.target_id
      left join auth_user u on r.model in ('auth.user', 'dispatch.user') and u.id = r.target_id
      left join patient_of_user pu on pu.user_id = u.id
      left join dispatch_office o on r.model = 'dispatch.office' and o.id = r.target_id
    )
    select pg_temp.ref('message', a.id) as id,
      a.id as legacy_record_id,
      pg_temp.text_ref('message_type', case when a.type in (3, 5, 6, 8)
        then 'record_type_' || a.type else 'general' end) as message_type_id,
      a.type as type_code,
      a.target_type_id as legacy_content_type_id,
      a.target_id as legacy_object_id,
      a.model as legacy_model_name,
      case
        when a.target_type_id is null or a.target_id is null then 'none'
        when a.model is null
          or a.model not in (${SUPPORTED.map((it) => `'${it}'`).join(', ')}) then 'unsupported'
        when num_nonnulls(a.instruction_id, a.project_id, a.plan_id, a.task_id, a.file_id,
          a.patient_id, a.user_id, a.office_id) > 0 then 'resolved'
        else 'missing'
      end as target_status,
      pg_temp.ref('order', a.order_id) as order_id,
      pg_temp.ref('project', coalesce(a.project_id, a.plan_project_id)) as project_id,
      pg_temp.ref('treatment_plan', a.plan_id) as treatment_plan_id,
      pg_temp.ref('task', a.task_id) as task_id,
      pg_temp.ref('file', a.file_id) as file_id,
      pg_temp.ref('patient', a.patient_id) as patient_id,
      pg_temp.ref('profile', a.user_id) as profile_id,
      pg_temp.ref('office', a.office_id) as office_id,
      pg_temp.ref('patient_case',
        coalesce(a.patient_id, (
          select i.patient_id from dispatch_instruction i
          where i.id = coalesce(a.order_id, a.project_order_id)))) as case_id,
      pg_temp.ref('profile', a.author_id) as sender_id,
      pg_temp.ref('team', a.group_id) as team_id,
      pg_temp.ref('profile', a.user_id) as recipient_id,
      coalesce(a.text, '') as body,
      a.public as is_public,
      a.created_at::timestamptz as sent_at,
      '{}' as legacy_data
    from aimed a`,
};

export const MESSAGES: readonly ExpectedTable[] = [messages];
