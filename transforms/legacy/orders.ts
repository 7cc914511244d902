import { bool, int4, int8, numeric, text, timestamptz, uuid } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** The treatment order. It has neither doctor nor office; both are its patient's. */
export const instruction = legacyTable('dispatch_instruction', 'id', {
  id: int4,
  patient_id: int4.orNull,
  submitted_at: timestamptz.orNull,
  deleted: bool.orNull,
  status: int4.orNull,
  cbct: bool.orNull,
  model: int4.orNull,
  scanner: int4.orNull,
  objective: text.orNull,
  conditions: text.orNull,
  order: int4.orNull,
  lower_jaw_id: int4.orNull,
  upper_jaw_id: int4.orNull,
  comprehensive: bool.orNull,
  scanner_notes: text.orNull,
  accept_extraction: bool.orNull,
  updated_at: timestamptz.orNull,
  notes: text.orNull,
  suffix: text.orNull,
  course_id: int4.orNull,
  complaint: text.orNull,
  exports: text.orNull,
  price: numeric.orNull,
});

/** A jaw does not know its order: the instruction names it as upper or lower. */
export const jaw = legacyTable('dispatch_jaw', 'id', {
  id: int4,
  bond_teeth: text.orNull,
  extract_teeth: text.orNull,
  reason: int4.orNull,
  product_id: int4.orNull,
  labial: bool.orNull,
});

/** Log of two switches on an instruction. Not a log of `dispatch_instruction.status`. */
export const state = legacyTable('dispatch_state', 'id', {
  id: int4,
  status: int4,
  on: bool.orNull,
  changed_at: timestamptz,
  actor_id: int4.orNull,
  instruction_id: int4,
});

/** A 3D data set. The only way to its order and patient is `dispatch_plan`. */
export const project = legacyTable('dispatch_project', 'id', {
  id: int4,
  uid: uuid.orNull,
  created_at: timestamptz.orNull,
  name: text.orNull,
  size: int8.orNull,
  public: bool.orNull,
  type: int4.orNull,
  status: int4.orNull,
  creator_id: int4.orNull,
});

/** Ties an instruction to a project. */
export const plan = legacyTable('dispatch_plan', 'id', {
  id: int4,
  instruction_id: int4.orNull,
  project_id: int4.orNull,
  notes: text.orNull,
  number: int4.orNull,
  name: text.orNull,
  original: bool.orNull,
});
