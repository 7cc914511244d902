import { bool, int4, text, timestamptz } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** One step of the production workflow. */
export const template = legacyTable('dispatch_template', 'id', {
  id: int4,
  task_name: text.orNull,
  action_name: text.orNull,
  function: int4.orNull,
  status: int4.orNull,
  duration: int4.orNull,
  category_id: int4.orNull,
  course_id: int4.orNull,
  predefined: bool.orNull,
  read_only: bool.orNull,
  text_name: text.orNull,
  extensions: text.orNull,
  alerts: text.orNull,
  separate: bool.orNull,
});

export const templateEditRole = legacyTable('dispatch_template_edit_roles', 'id', {
  id: int4,
  template_id: int4,
  role_id: int4,
});

export const templateProduct = legacyTable('dispatch_template_products', 'id', {
  id: int4,
  template_id: int4,
  product_id: int4,
});

/** Django's naming of a self relation: the template that depends is `from_template_id`. */
export const templatePredecessor = legacyTable('dispatch_template_predecessors', 'id', {
  id: int4,
  from_template_id: int4,
  to_template_id: int4,
});

/** A step that is done or to be done. `order_id` is a shop order, not an instruction. */
export const task = legacyTable('dispatch_task', 'id', {
  id: int4,
  checked: bool.orNull,
  file_id: int4.orNull,
  template_id: int4.orNull,
  done_at: timestamptz.orNull,
  text: text.orNull,
  plan_id: int4.orNull,
  instruction_id: int4.orNull,
  actor_id: int4.orNull,
  jaw: int4.orNull,
  order_id: int4.orNull,
});
