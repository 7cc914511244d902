import { table, type LegacyTable } from './definition.ts';

/** Production steps and their execution. */
export const WORKFLOW: readonly LegacyTable[] = [
  table(
    'dispatch_template',
    `task_name varchar(255) null
     action_name varchar(255) null
     function integer null
     status integer null
     duration integer
     category_id integer null -> dispatch_category
     course_id integer null -> dispatch_course
     predefined boolean
     read_only boolean
     text_name varchar(255) null
     extensions varchar(255) null
     alerts varchar(255) null
     separate boolean null`,
  ),
  table(
    'dispatch_template_edit_roles',
    `template_id integer -> dispatch_template
     role_id integer -> dispatch_role
     unique (template_id, role_id)`,
  ),
  table(
    'dispatch_template_view_roles',
    `template_id integer -> dispatch_template
     role_id integer -> dispatch_role
     unique (template_id, role_id)`,
  ),
  table(
    'dispatch_template_view_groups',
    `template_id integer -> dispatch_template
     group_id integer -> auth_group
     unique (template_id, group_id)`,
  ),
  table(
    'dispatch_template_products',
    `template_id integer -> dispatch_template
     product_id integer -> dispatch_product
     unique (template_id, product_id)`,
  ),
  table(
    'dispatch_template_predecessors',
    `from_template_id integer -> dispatch_template
     to_template_id integer -> dispatch_template
     unique (from_template_id, to_template_id)`,
  ),
  table(
    'dispatch_task',
    `checked boolean
     file_id integer null -> dispatch_file
     template_id integer -> dispatch_template
     done_at timestamptz null
     text text null
     plan_id integer null -> dispatch_plan
     instruction_id integer null -> dispatch_instruction
     actor_id integer null -> auth_user
     jaw integer null
     order_id integer null -> dispatch_order`,
  ),
];
