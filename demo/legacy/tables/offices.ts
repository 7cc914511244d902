import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import type { Office, OfficeCountry } from '../world/offices.ts';
import type { World } from '../world/world.ts';

/** T22 to T25, laid over the offices as they come. */
const ODD_OFFICES: readonly Overrides[] = [
  { country: null },
  { country: '' },
  { country: ' usa ' },
  { country: 'U.S.A.' },
  { country: '日本' },
  { country: 'ประเทศไทย' },
  { country: 'Viet Nam' },
  { country: 'Republic of Nowhere' },
  { country: 'Singapore', phone: '+65 6555 0100' },
  { country: 'Philippines' },
  { country: 'France', zip: '01000', phone: '01 99 00 00 00' },
  { country: 'New Zealand' },
  { country: 'Australia', state: 'NSW' },
  { country: 'Vietnam' },
  { name: '', address: '' },
  { name: '   ' },
  { name: null, city: null, state: null, zip: null, phone: null },
  { name: 'Smile Chain Dental', address: '1 Repeated Street' },
  { name: 'Smile Chain Dental', address: '1 Repeated Street' },
  { name: 'smile chain  dental', address: '2 Other Street' },
  { phone: '1-800-SMILES ext. 12', zip: 'K1A 0B1' },
  { phone: '０３－５５５５－０１２３', zip: '〒１００－０００１' },
  { phone: '0081 3 5555 0123', zip: '00501' },
  { phone: '', zip: '' },
  { tax_rate: '0.0000' },
  { tax_rate: '100.5000' },
  { tax_rate: '0.0825', emails: null },
  { tax_rate: '-1.2500', sq_customer_id: '' },
];

type Locality = { readonly city: string; readonly state: string; readonly tax: string };

const PLACES: Readonly<Record<OfficeCountry, readonly Locality[]>> = {
  USA: [
    { city: 'Northwick', state: 'WA', tax: '10.2500' },
    { city: 'Dunfield', state: 'OR', tax: '0.0000' },
    { city: 'Eastmere', state: 'NY', tax: '8.8750' },
  ],
  India: [{ city: 'Navapur', state: 'MH', tax: '18.0000' }],
  Japan: [
    { city: '北野市', state: '東京都', tax: '10.0000' },
    { city: 'Minamimura', state: 'Osaka', tax: '10.0000' },
  ],
  Thailand: [{ city: 'เมืองทอง', state: '', tax: '7.0000' }],
  other: [{ city: 'Harbourton', state: '', tax: '0.0000' }],
};

function contact(random: Random, country: OfficeCountry): { phone: string; zip: string } {
  const digits = (count: number) => Array.from({ length: count }, () => random.int(0, 9)).join('');
  switch (country) {
    case 'USA':
      return { phone: `(${random.int(201, 989)}) 555-01${digits(2)}`, zip: digits(5) };
    case 'India':
      return { phone: `+91 98${digits(8)}`, zip: `4${digits(5)}` };
    case 'Japan':
      return { phone: `03-5555-${digits(4)}`, zip: `${digits(3)}-${digits(4)}` };
    case 'Thailand':
      return { phone: `02 555 ${digits(4)}`, zip: `1${digits(4)}` };
    case 'other':
      return { phone: `+61 2 5550 ${digits(4)}`, zip: digits(4) };
  }
}

function officeRow(random: Random, office: Office): Row {
  const place = random.pick(PLACES[office.country]);
  return {
    id: office.id,
    doctor_id: office.ownerId,
    name: `${random.pick(['Bright', 'Harbour', 'Maple', 'さくら', 'Lotus'])} ${random.pick(['Orthodontics', 'Dental', '矯正歯科', 'Clinic'])} ${random.int(1, 400)}`,
    address: `${random.int(1, 9999)} ${random.pick(['Hill Road', 'Main Street', 'Park Avenue'])}`,
    apt: random.chance(0.3) ? `Suite ${random.int(1, 900)}` : random.pick(['', null]),
    city: place.city,
    state: place.state,
    ...contact(random, office.country),
    country: office.country === 'other' ? 'Australia' : office.country,
    tax_rate: place.tax,
    valid: office.valid,
    sq_customer_id: random.chance(0.2) ? random.alphanumeric(26) : null,
    emails: random.chance(0.7),
  };
}

function* officeRows({ offices, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_office');
  const odd = spread(ODD_OFFICES, offices.length);
  for (const [i, office] of offices.entries()) {
    yield withOverrides(officeRow(random, office), odd(i));
  }
}

export function officeTables(world: World): RowSource[] {
  const links = world.officeLinks.map(({ officeId, userId }, i) => ({
    id: i * 2 + 5,
    office_id: officeId,
    user_id: userId,
  }));
  return [
    { table: 'dispatch_office', rows: officeRows(world), total: world.offices.length },
    { table: 'dispatch_office_doctors', rows: links, total: links.length },
  ];
}
