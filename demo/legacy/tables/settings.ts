import { date, DAY_MS, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import { ODD_TEXTS, outOfLineText, prose } from '../prose.ts';
import type { Random } from '../random.ts';
import { at } from '../world/ids.ts';
import { hasDoctorSetting, type Person } from '../world/people.ts';
import type { World } from '../world/world.ts';

const ODD_SETTINGS: readonly Overrides[] = [
  ...ODD_TEXTS.map((text) => ({ clinical_preferences: text })),
  { credit: '-120.50' },
  { credit: '99999999.99' },
  { credit: null, promised_payment: null, company_account: null, installment_payments: null },
  { tier_finish: '1900-01-01', tier_type: 99 },
  { tier_finish: '9999-12-31', installment_payments: -1 },
  { sq_customer_id: '' },
];

function settingRow(random: Random, id: number, person: Person): Row {
  const agreed = person.joinedMs + random.int(0, 40) * DAY_MS;
  return {
    id,
    user_id: person.id,
    clinical_preferences: random.chance(0.5) ? '' : prose(random, random.int(1, 6)),
    sq_customer_id: random.chance(0.3) ? random.alphanumeric(26) : null,
    promised_payment: random.chance(0.1),
    credit: random.chance(0.9) ? '0.00' : `${random.int(1, 900)}.${random.int(10, 99)}`,
    tier_finish: random.chance(0.2) ? date(agreed + random.int(30, 900) * DAY_MS) : null,
    tier_type: random.chance(0.2) ? random.int(1, 4) : null,
    installment_payments: random.chance(0.05) ? random.pick([3, 6, 12]) : 0,
    baa_agreed_at: random.chance(0.4) ? timestamp(agreed, random.int(0, 999)) : null,
    eula_agreed_at: random.chance(0.6) ? timestamp(agreed, random.int(0, 999)) : null,
    company_account: random.chance(0.03),
  };
}

function* doctorSettingRows({ random: root }: World, owners: readonly Person[]): Generator<Row> {
  const random = root.fork('dispatch_doctorsetting');
  const odd = spread(ODD_SETTINGS, owners.length);
  for (const [i, person] of owners.entries()) {
    const row = withOverrides(settingRow(random, i + 1, person), odd(i));
    yield i % 150 === 20 ? { ...row, clinical_preferences: outOfLineText(random) } : row;
  }
}

function* userSettingRows({ random: root }: World, owners: readonly Person[]): Generator<Row> {
  const random = root.fork('dispatch_usersetting');
  for (const [i, person] of owners.entries()) {
    const require2fa = random.weighted([
      [5, null],
      [3, false],
      [2, true],
    ]);
    yield { id: i + 1, user_id: person.id, emails: random.chance(0.8), require_2fa: require2fa };
  }
}

/** Who looks after a doctor: one or none of the staff for each setting. */
function* careRows({ people }: World, settings: number, shift: number): Generator<Row> {
  let id = 0;
  for (let i = 0; i < settings; i += 1) {
    if (i % 5 > 2) continue;
    id += 1;
    const carer = at(people.staff, (i * 3 + shift) % people.staff.length);
    yield { id, doctorsetting_id: i + 1, user_id: carer.id };
  }
}

export function settingTables(world: World): RowSource[] {
  const { staff, doctors } = world.people;
  const withSetting = [
    ...doctors.filter(hasDoctorSetting),
    ...staff.filter((p) => p.rank % 8 !== 0),
  ];
  const withUserSetting = [...staff, ...doctors].filter((person) => person.rank % 8 !== 6);
  const care = Math.round(withSetting.length * 0.6);
  const settings = withSetting.length;
  return [
    {
      table: 'dispatch_usersetting',
      rows: userSettingRows(world, withUserSetting),
      total: withUserSetting.length,
    },
    {
      table: 'dispatch_doctorsetting',
      rows: doctorSettingRows(world, withSetting),
      total: settings,
    },
    { table: 'dispatch_doctorsetting_masters', rows: careRows(world, settings, 2), total: care },
    { table: 'dispatch_doctorsetting_sales', rows: careRows(world, settings, 6), total: care },
  ];
}
