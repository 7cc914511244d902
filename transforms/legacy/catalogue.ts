import { int4, numeric, text } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

/** An order type. */
export const course = legacyTable('dispatch_course', 'id', {
  id: int4,
  name: text.orNull,
  type: int4.orNull,
  customization: text.orNull,
});

export const offer = legacyTable('dispatch_offer', 'id', {
  id: int4,
  price_both: numeric.orNull,
  price_upper: numeric.orNull,
  price_lower: numeric.orNull,
  doctor_id: int4.orNull,
  product_id: int4,
});
