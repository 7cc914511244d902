import { rowsWhere, type Trap } from './trap.ts';

const TYPE = `(select c.app_label || '.' || c.model from django_content_type c where c.id = t.target_type_id)`;

/** For every type that a target may have: what would have to exist. */
const TARGET_TABLES: readonly (readonly [label: string, table: string])[] = [
  ['dispatch.patient', 'dispatch_patient'],
  ['dispatch.user', 'auth_user'],
  ['auth.user', 'auth_user'],
  ['dispatch.plan', 'dispatch_plan'],
  ['dispatch.project', 'dispatch_project'],
  ['dispatch.file', 'dispatch_file'],
  ['dispatch.task', 'dispatch_task'],
  ['dispatch.instruction', 'dispatch_instruction'],
  ['dispatch.office', 'dispatch_office'],
];

function missingTargets(number: string, targets: typeof TARGET_TABLES): Trap[] {
  return targets.map(([label, table]) => ({
    number,
    table: 'dispatch_record',
    sql: `select r.id from dispatch_record r
          join django_content_type c on c.id = r.target_type_id and c.app_label || '.' || c.model = '${label}'
          where not exists (select 1 from ${table} x where x.id = r.target_id)`,
  }));
}

const BLANK_OR_RICH = `= '' or btrim(t.text) = '' or length(t.text) > 8000 or t.text ~ E'\\n' or t.text ~ '<p>'
  or t.text ~ '[^\\x01-\\x7e]'`;

/** Files, records, comments and notes. */
export const RECORD_TRAPS: readonly Trap[] = [
  rowsWhere('T48', 'dispatch_file', 't.instruction_id is null or t.record_id is not null'),
  rowsWhere(
    'T49',
    'dispatch_file',
    `t.name is null or t.ext is null or t.ext !~ '^\\.[a-z]+$' or right(t.name, length(t.ext)) = t.ext or t.ext = '.xyz'`,
  ),
  rowsWhere(
    'T50',
    'dispatch_file',
    `t.parameters <> '' and (t.parameters !~ '^[{[].*[]}]$' or t.parameters ~ '''|\\\\')`,
  ),
  ...missingTargets('T51', TARGET_TABLES.slice(0, 3)),
  rowsWhere('T51', 'dispatch_record', 't.target_type_id is null'),
  rowsWhere('T52', 'dispatch_record', `${TYPE} = 'dispatch.user'`),
  rowsWhere(
    'T53',
    'dispatch_record',
    `${TYPE} not in (${TARGET_TABLES.map(([label]) => `'${label}'`).join(', ')})`,
  ),
  ...missingTargets('T54', TARGET_TABLES.slice(3)),
  rowsWhere('T55', 'dispatch_record', 't.author_id is null or t.type is null or t.public is null'),
  rowsWhere(
    'T56',
    'dispatch_record',
    'exists (select 1 from django_content_type c where c.id = t.type)',
  ),
  rowsWhere('T57', 'dispatch_record', `t.text ${BLANK_OR_RICH}`),
  rowsWhere('T57', 'dispatch_comment', `t.text ${BLANK_OR_RICH}`),
  rowsWhere(
    'T58',
    'dispatch_comment',
    `coalesce(t.text, '') = '' or exists (select 1 from dispatch_plan p
     join dispatch_instruction i on i.id = p.instruction_id where p.id = t.plan_id and i.deleted)`,
  ),
  rowsWhere(
    'T59',
    'dispatch_note',
    `t.text = '' or not exists (select 1 from dispatch_doctorsetting s where s.user_id = t.doctor_id)`,
  ),
];
