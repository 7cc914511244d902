import countries from 'i18n-iso-countries';
import english from 'i18n-iso-countries/langs/en.json' with { type: 'json' };

countries.registerLocale(english);

/** The table of mapping 3.16. */
const NAMES: Readonly<Record<string, string>> = {
  US: 'USA, U.S.A., US, U.S., United States, United States of America, America',
  GB: 'UK, U.K., United Kingdom, Great Britain, Britain, England, Scotland, Wales, Northern Ireland',
  JP: 'Japan, 日本, 日本国',
  TH: 'Thailand, ประเทศไทย, ไทย',
  IN: 'India, Bharat',
  AU: 'Australia',
  NZ: 'New Zealand',
  SG: 'Singapore',
  PH: 'Philippines, The Philippines',
  FR: 'France',
  VN: 'Vietnam, Viet Nam',
  KR: 'Korea, South Korea, Republic of Korea',
  KP: 'North Korea',
  TW: 'Taiwan',
  CN: 'China, P.R. China, PRC',
  HK: 'Hong Kong, Hong Kong SAR',
  MO: 'Macau, Macao',
  RU: 'Russia, Russian Federation',
  NL: 'Netherlands, The Netherlands, Holland',
  CZ: 'Czech Republic, Czechia',
  TR: 'Turkey, Türkiye',
  AE: 'UAE, U.A.E., United Arab Emirates',
  IE: 'Ireland, Republic of Ireland',
  LA: 'Laos',
  MM: 'Myanmar, Burma',
  BN: 'Brunei',
  IR: 'Iran',
  SY: 'Syria',
};

const CODE_BY_WORD: ReadonlyMap<string, string> = new Map([
  ...wordsOfTheLibrary(),
  // Last, so that the table wins over the library.
  ...Object.entries(NAMES).flatMap(([code, names]) =>
    names.split(', ').map((name): [string, string] => [name.toLowerCase(), code]),
  ),
]);

function wordsOfTheLibrary(): [string, string][] {
  const names = countries.getNames('en', { select: 'all' });
  return Object.entries(names).flatMap(([code, several]) => {
    const alpha3 = countries.alpha2ToAlpha3(code) ?? code;
    return [...several, code, alpha3].map((word): [string, string] => [word.toLowerCase(), code]);
  });
}

/** The alpha-2 code of what somebody typed, `null` when it is no country. Mapping 3.16. */
export function countryCodeOf(text: string | null): string | null {
  return CODE_BY_WORD.get((text ?? '').trim().toLowerCase()) ?? null;
}
