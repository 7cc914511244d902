import { parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js';

/** The number as E.164, `null` unless it is valid. Mapping 3.16. */
export function e164Of(text: string | null, country: string | null): string | null {
  // A code that the library does not know is as good as none, and that is what it does with it.
  const found = parsePhoneNumberFromString(text ?? '', (country ?? undefined) as CountryCode);
  return found?.isValid() ? found.number : null;
}
