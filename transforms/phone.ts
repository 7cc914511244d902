import parsePhoneNumber, { isSupportedCountry } from 'libphonenumber-js';

/**
 * The E.164 form of a telephone number as people write it; null unless libphonenumber-js, by its
 * default (`min`) metadata, calls it valid. `country` is where it is dialled when it does not say.
 */
export function phoneE164(phone: string | null, country: string | null): string | null {
  if (phone === null) return null;
  const known = country !== null && isSupportedCountry(country) ? country : undefined;
  const number = parsePhoneNumber(phone, known);
  return number?.isValid() === true ? number.number : null;
}
