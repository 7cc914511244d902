import { table, type LegacyTable } from './definition.ts';

/** Orders, clinical objects, files and what people wrote about them. */
export const ORDERS: readonly LegacyTable[] = [
  table(
    'dispatch_instruction',
    `patient_id integer -> dispatch_patient
     submitted_at timestamptz null
     deleted boolean
     status integer
     cbct boolean null
     model integer null
     scanner integer null
     objective text null
     conditions text null
     order integer null
     lower_jaw_id integer null -> dispatch_jaw
     upper_jaw_id integer null -> dispatch_jaw
     comprehensive boolean null
     scanner_notes text null
     accept_extraction boolean null
     updated_at timestamptz null
     notes text null
     suffix varchar(255) null
     course_id integer -> dispatch_course
     complaint text null
     exports text null
     price numeric(10,2) null`,
  ),
  table(
    'dispatch_jaw',
    `bond_teeth varchar(16)
     extract_teeth varchar(16)
     reason integer null
     product_id integer null -> dispatch_product
     labial boolean`,
  ),
  table(
    'dispatch_state',
    `status integer
     on boolean
     changed_at timestamptz
     actor_id integer null -> auth_user
     instruction_id integer -> dispatch_instruction`,
  ),
  table(
    'dispatch_project',
    `uid uuid unique
     created_at timestamptz
     name varchar(255)
     size bigint
     public boolean
     type integer
     status integer
     creator_id integer null -> auth_user`,
  ),
  table(
    'dispatch_plan',
    `instruction_id integer -> dispatch_instruction
     project_id integer -> dispatch_project
     notes text null
     number integer null
     name varchar(255) null
     original boolean`,
  ),
  table(
    'dispatch_event',
    `patient_id integer -> dispatch_patient
     title varchar(255) null
     date timestamptz null
     completed boolean null`,
  ),
  table(
    'dispatch_file',
    `uid uuid unique
     name varchar(255) null
     ext varchar(255) null
     size bigint
     type integer
     instruction_id integer null -> dispatch_instruction
     created_at timestamptz
     description text null
     product_id integer null -> dispatch_product
     parameters text null
     record_id integer null -> dispatch_record
     status integer null`,
  ),
  table(
    'dispatch_record',
    `target_id integer
     type integer null
     created_at timestamptz
     text text
     author_id integer null -> auth_user
     target_type_id integer null -> django_content_type
     group_id integer null -> auth_group
     public boolean null`,
  ),
  table(
    'dispatch_record_attachments',
    `record_id integer -> dispatch_record
     file_id integer -> dispatch_file
     unique (record_id, file_id)`,
  ),
  table(
    'dispatch_record_roles',
    `record_id integer -> dispatch_record
     role_id integer -> dispatch_role
     unique (record_id, role_id)`,
  ),
  table(
    'dispatch_comment',
    `created_at timestamptz
     text text null
     author_id integer null -> auth_user
     plan_id integer -> dispatch_plan`,
  ),
  table(
    'dispatch_note',
    `created_at timestamptz
     text text
     author_id integer null -> auth_user
     doctor_id integer -> auth_user`,
  ),
];
