import countries from 'i18n-iso-countries';

/** Names that the legacy data or its sources use, which come before those of the library. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  US: ['USA', 'U.S.A.', 'US', 'U.S.', 'United States', 'United States of America', 'America'],
  GB: [
    ...['UK', 'U.K.', 'United Kingdom', 'Great Britain', 'Britain'],
    ...['England', 'Scotland', 'Wales', 'Northern Ireland'],
  ],
  JP: ['Japan', '日本', '日本国'],
  TH: ['Thailand', 'ประเทศไทย', 'ไทย'],
  IN: ['India', 'Bharat'],
  AU: ['Australia'],
  NZ: ['New Zealand'],
  SG: ['Singapore'],
  PH: ['Philippines', 'The Philippines'],
  FR: ['France'],
  VN: ['Vietnam', 'Viet Nam'],
  KR: ['Korea', 'South Korea', 'Republic of Korea'],
  KP: ['North Korea'],
  TW: ['Taiwan'],
  CN: ['China', 'P.R. China', 'PRC'],
  HK: ['Hong Kong', 'Hong Kong SAR'],
  MO: ['Macau', 'Macao'],
  RU: ['Russia', 'Russian Federation'],
  NL: ['Netherlands', 'The Netherlands', 'Holland'],
  CZ: ['Czech Republic', 'Czechia'],
  TR: ['Turkey', 'Türkiye'],
  AE: ['UAE', 'U.A.E.', 'United Arab Emirates'],
  IE: ['Ireland', 'Republic of Ireland'],
  LA: ['Laos'],
  MM: ['Myanmar', 'Burma'],
  BN: ['Brunei'],
  IR: ['Iran'],
  SY: ['Syria'],
};

const fold = (name: string): string => name.trim().toLowerCase();

/** By folded name. What comes first stays: our names, English names, alpha-2, alpha-3. */
const CODES: ReadonlyMap<string, string> = (() => {
  const alpha3 = Object.entries(countries.getAlpha3Codes());
  const pairs: readonly (readonly [string, string])[] = [
    ...Object.entries(NAMES).flatMap(([code, names]) => names.map((name) => [name, code] as const)),
    ...Object.entries(countries.getNames('en', { select: 'all' })).flatMap(([code, names]) =>
      names.map((name) => [name, code] as const),
    ),
    ...Object.keys(countries.getAlpha2Codes()).map((code) => [code, code] as const),
    ...alpha3,
  ];
  const byName = new Map<string, string>();
  for (const [name, code] of pairs) {
    if (!byName.has(fold(name))) byName.set(fold(name), code);
  }
  return byName;
})();

/** The ISO 3166 alpha-2 code of a country as people write it; null where it names none we know. */
export function countryCode(country: string | null): string | null {
  return country === null ? null : (CODES.get(fold(country)) ?? null);
}
