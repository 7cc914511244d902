import { bool, int4, numeric, text } from '../../core/legacy-table.ts';
import { legacyTable } from '../../core/shape.ts';

export const office = legacyTable('dispatch_office', 'id', {
  id: int4,
  doctor_id: int4.orNull,
  name: text.orNull,
  address: text.orNull,
  apt: text.orNull,
  city: text.orNull,
  state: text.orNull,
  zip: text.orNull,
  country: text.orNull,
  phone: text.orNull,
  tax_rate: numeric.orNull,
  valid: bool.orNull,
  sq_customer_id: text.orNull,
  emails: bool.orNull,
});

export const officeDoctor = legacyTable('dispatch_office_doctors', 'id', {
  id: int4,
  office_id: int4,
  user_id: int4,
});
