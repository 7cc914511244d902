import { entity } from '../core/entity.ts';
import { ref, row } from '../core/outcome.ts';
import { countryCode } from './country.ts';
import { office } from './legacy/organisation.ts';
import { phoneE164 } from './phone.ts';
import { emptyToNull } from './text.ts';

/** `dispatch_office` to `offices`. None is dropped: invalid and repeated ones are flagged. */
export const offices = entity({
  name: 'office',
  target: 'offices',
  from: office.select(
    ...(['id', 'doctor_id', 'name', 'address', 'apt', 'city', 'state', 'zip'] as const),
    ...(['country', 'phone', 'tax_rate', 'valid', 'sq_customer_id', 'emails'] as const),
  ),
  map(office) {
    const country = countryCode(office.country);
    return row({
      id: ref('office', office.id),
      legacy_office_id: office.id,
      name: office.name ?? '',
      address_line1: emptyToNull(office.address),
      address_line2: emptyToNull(office.apt),
      city: emptyToNull(office.city),
      state: emptyToNull(office.state),
      postal_code: emptyToNull(office.zip),
      country: emptyToNull(office.country),
      country_code: country,
      phone: emptyToNull(office.phone),
      phone_e164: phoneE164(office.phone, country),
      tax_rate: office.tax_rate,
      square_customer_id: emptyToNull(office.sq_customer_id),
      emails_enabled: office.emails,
      is_valid: office.valid ?? false,
      legacy_doctor_user_id: office.doctor_id,
      legacy_data: '{}',
    });
  },
});
