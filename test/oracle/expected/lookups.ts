import type { ExpectedTable } from './table.ts';

const contentTypes: ExpectedTable = {
  table: 'content_type_map',
  targetOwned: ['target_table', 'target_column'],
  sql: `
    select pg_temp.ref('content_type', t.id) as id,
      t.id as legacy_content_type_id,
      coalesce(t.app_label, '') as app_label,
      coalesce(t.model, '') as model,
      '{}' as legacy_data
    from django_content_type t`,
};

/** Seeds whose id is that of a legacy course, and seeds without one (mapping 4.3). */
const ORDER_TYPE_SEEDS = `
  select case when legacy_id is null then pg_temp.text_ref('order_type', key)
      else pg_temp.ref('order_type', legacy_id) end as id,
    null as legacy_course_id, key, name, key as kind, null as type_code, null as customization,
    '{}' as legacy_data
  from (values (1, 'main', 'Main'), (2, 'refinement', 'Refinement'),
    (3, 'replacement', 'Replacement'), (null, 'retainer', 'Retainer'),
    (null, 'emergency', 'Emergency'), (null, 'consultation', 'Consultation'))
    as seed (legacy_id, key, name)`;

const orderTypes: ExpectedTable = {
  table: 'order_types',
  targetOwned: ['description', 'category', 'base_price', 'input_schema', 'is_active'],
  legacyJson: ['customization'],
  seeds: { sql: ORDER_TYPE_SEEDS, adoptedBy: 'legacy_course_id' },
  sql: `
    select pg_temp.ref('order_type', c.id) as id,
      c.id as legacy_course_id,
      case (c.id, c.type)
        when (1, 1) then 'main' when (2, 2) then 'refinement' when (3, 4) then 'replacement'
        when (4, 3) then 'any' when (7, 5) then 'invoice' when (8, 6) then 'merchandise'
        else 'course-' || c.id end as key,
      coalesce(c.name, '') as name,
      pg_temp.course_kind(c.type) as kind,
      c.type as type_code,
      c.customization,
      '{}' as legacy_data
    from dispatch_course c`,
};

/** All of mapping 4.4, order_states: key, name, status, source, code, sequence, initial, final. */
const orderStates: ExpectedTable = {
  table: 'order_states',
  targetOwned: ['color_hex'],
  sql: `
    select pg_temp.text_ref('order_state', key) as id, seed.*
    from (values
      ('no_product', 'No product', 'no_product', 'instruction_status', 0, 10, true, false),
      ('submitted', 'Submitted', 'submitted', 'instruction_status', 1, 20, false, false),
      ('add_plan', 'Add plan', 'add_plan', 'instruction_status', 5, 30, false, false),
      ('approved', 'Approved', 'approved', 'instruction_status', 2, 40, false, false),
      ('in_production', 'In production', 'in_production', 'instruction_status', 3, 50, false, false),
      ('shipped', 'Shipped', 'shipped', 'instruction_status', 4, 60, false, true),
      ('completed', 'Completed', 'completed', null, null, 70, false, true),
      ('on_hold', 'On hold', 'on_hold', null, null, 80, false, false),
      ('cancelled', 'Cancelled', 'cancelled', null, null, 90, false, true),
      ('state_11', 'State 11', 'unknown', 'dispatch_state', 11, 110, false, false),
      ('state_12', 'State 12', 'unknown', 'dispatch_state', 12, 120, false, false)
    ) as seed (key, name, status, legacy_source, legacy_code, sequence_order, is_initial, is_final)`,
};

/** All of mapping 4.6, message_types. */
const messageTypes: ExpectedTable = {
  table: 'message_types',
  targetOwned: ['triggers_state_change', 'target_state_id', 'body_template'],
  sql: `
    select pg_temp.text_ref('message_type', key) as id, seed.*
    from (values
      ('general', 'General', 'unknown', null),
      ('status_update', 'Status update', 'workflow', null),
      ('question', 'Question', 'clinical', null),
      ('instruction', 'Instruction', 'clinical', null),
      ('record_type_3', 'Record type 3', 'unknown', 3),
      ('record_type_5', 'Record type 5', 'unknown', 5),
      ('record_type_6', 'Record type 6', 'unknown', 6),
      ('record_type_8', 'Record type 8', 'unknown', 8)
    ) as seed (key, name, category, legacy_code)`,
};

export const LOOKUPS: readonly ExpectedTable[] = [
  ...[contentTypes, orderTypes, orderStates, messageTypes],
];
