import { bool, int4, int8, text, timestamptz, uuid } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

export const file = legacyTable('dispatch_file', 'id', {
  id: int4,
  uid: uuid.orNull,
  name: text.orNull,
  ext: text.orNull,
  size: int8.orNull,
  type: int4.orNull,
  instruction_id: int4.orNull,
  created_at: timestamptz.orNull,
  description: text.orNull,
  product_id: int4.orNull,
  parameters: text.orNull,
  record_id: int4.orNull,
  status: int4.orNull,
});

/** A message or note. `type` is the kind of message, never a content type. */
export const record = legacyTable('dispatch_record', 'id', {
  id: int4,
  target_id: int4.orNull,
  type: int4.orNull,
  created_at: timestamptz.orNull,
  text: text.orNull,
  author_id: int4.orNull,
  target_type_id: int4.orNull,
  group_id: int4.orNull,
  public: bool.orNull,
});

/** A note of the staff about a doctor. */
export const note = legacyTable('dispatch_note', 'id', {
  id: int4,
  created_at: timestamptz.orNull,
  text: text.orNull,
  author_id: int4.orNull,
  doctor_id: int4.orNull,
});
