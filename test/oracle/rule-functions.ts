/**
 * The rules that several tables share, as temporary functions of a server: target ids
 * (rule 1 of the target schema), padded numbers (mapping 3.6) and the lists of codes (3.3).
 *
 * They say the same as the engine does, by other means; nothing here may be taken from there.
 */
export const RULE_FUNCTIONS = `
  -- Version 8: the first 48 bits name the entity.
  create function pg_temp.id_head(entity text) returns text language sql immutable strict as $$
    select substr(encode(sha256(convert_to(entity, 'UTF8')), 'hex'), 1, 8) || '-'
        || substr(encode(sha256(convert_to(entity, 'UTF8')), 'hex'), 9, 4) || '-8'
  $$;

  -- Form 0: the last 62 bits, behind the variant's two, are the legacy id.
  create function pg_temp.ref(entity text, legacy_id integer) returns text
  language sql immutable strict as $$
    select pg_temp.id_head(entity) || '000-8'
        || substr(lpad(to_hex(legacy_id), 15, '0'), 1, 3) || '-'
        || substr(lpad(to_hex(legacy_id), 15, '0'), 4)
  $$;

  -- Form 2: the last 62 bits are the first 62 of a hash of the key.
  create function pg_temp.text_ref(entity text, key text) returns text
  language plpgsql immutable strict as $$
  declare
    hash bit(64) := ('x' || substr(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 1, 16))::bit(64);
    tail text := to_hex(((hash >> 2) | 'x8000000000000000'::bit(64))::bigint);
  begin
    return pg_temp.id_head(entity) || '002-' || substr(tail, 1, 4) || '-' || substr(tail, 5);
  end $$;

  -- Six digits with zeros in front; longer numbers stay whole, which lpad alone would not do.
  create function pg_temp.padded(number integer) returns text language sql immutable strict as $$
    select lpad(number::text, greatest(6, length(number::text)), '0')
  $$;

  -- dispatch_course.type
  create function pg_temp.course_kind(code integer) returns text language sql immutable as $$
    select case code
      when 1 then 'main' when 2 then 'refinement' when 3 then 'any'
      when 4 then 'replacement' when 5 then 'invoice' when 6 then 'merchandise'
      else 'unknown' end
  $$;

  -- dispatch_instruction.status; null has no state and the status unknown.
  create function pg_temp.order_status(code integer) returns text language sql immutable as $$
    select case code
      when 0 then 'no_product' when 1 then 'submitted' when 2 then 'approved'
      when 3 then 'in_production' when 4 then 'shipped' when 5 then 'add_plan'
      else 'unknown' end
  $$;
  create function pg_temp.instruction_status_state(code integer) returns text
  language sql immutable as $$
    select case when code between 0 and 5
      then pg_temp.text_ref('order_state', pg_temp.order_status(code)) end
  $$;

  -- dispatch_state.status
  create function pg_temp.log_state(code integer) returns text language sql immutable as $$
    select case when code in (11, 12) then pg_temp.text_ref('order_state', 'state_' || code) end
  $$;

  -- dispatch_patient.status
  create function pg_temp.case_status(code integer) returns text language sql immutable as $$
    select case code
      when 1 then 'consultation' when 2 then 'diagnosis' when 3 then 'treatment_plan'
      when 4 then 'active' when 5 then 'refinement' when 6 then 'retention'
      when 7 then 'completed' when 8 then 'cancelled' when 9 then 'on_hold'
      when 10 then 'transferred' when 11 then 'revision'
      else 'unknown' end
  $$;

  -- dispatch_project.type
  create function pg_temp.project_type(code integer) returns text language sql immutable as $$
    select case code
      when 0 then 'scan' when 1 then 'stl_lower' when 2 then 'clinical_photo'
      when 3 then 'treatment_plan' when 4 then 'xray' when 5 then 'cbct_scan'
      when 10 then 'simulation' when 11 then 'aligner_design'
      else 'unknown' end
  $$;

  -- dispatch_project.status
  create function pg_temp.project_status(code integer) returns text language sql immutable as $$
    select case code
      when 0 then 'draft' when 1 then 'in_progress' when 2 then 'in_review'
      when 3 then 'approved' when 4 then 'archived' when 5 then 'deleted'
      else 'unknown' end
  $$;

  -- dispatch_template.function
  create function pg_temp.task_function(code integer) returns text language sql immutable as $$
    select case code when 1 then 'submit' when 2 then 'archive' when 4 then 'process'
      else 'unknown' end
  $$`;
