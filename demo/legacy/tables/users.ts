import { DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import { isInactiveDoctor, type Person } from '../world/people.ts';
import type { World } from '../world/world.ts';

/** T02, T90: laid over patients, whose mail is empty otherwise. */
const ODD_PATIENT_USERS: readonly Overrides[] = [
  { email: 'null' },
  { email: 'no-at-sign.example.com' },
  { email: ' blanks.around@example.com ' },
  { email: 'UPPER.Case@Example.COM' },
  { email: '\ttab@example.com\u00a0' },
  { email: 'two@at@example.com' },
  { email: '日本@例え.jp' },
  { date_joined: '2017-03-26 01:59:59.999999+00', last_login: '2018-10-28 00:59:59.5+00' },
  { date_joined: '1900-01-01 00:00:00+00', last_login: '9999-12-31 23:59:59.999999+00' },
];

/** T08: flags that contradict the groups. T09: seven and one account of other test domains. */
const ODD_DOCTOR_USERS: readonly Overrides[] = [
  { is_superuser: true, is_staff: true },
  { is_staff: true },
  ...Array.from({ length: 7 }, (_, i) => ({ email: `developer${i}@dev.example` })),
  { email: 'demo@demonstration.example' },
];

const SHARED_ADDRESSES = 7;

/** T03: every twentieth doctor has one of seven addresses that are in use several times. */
function doctorEmail(person: Person): string {
  if (person.rank % 20 === 3) {
    const pair = Math.floor(person.rank / 40) % SHARED_ADDRESSES;
    return `practice${pair}@clinic.example`;
  }
  if (person.rank % 18 === 5) return `trial.doctor${person.rank}@maker.example`;
  return person.rank % 12 === 7 ? '' : `doctor${person.rank}@mail${person.rank % 9}.example`;
}

function email(person: Person): string {
  switch (person.kind) {
    case 'staff':
      return `staff${person.rank}@maker.example`; // T09: the maker's own domain
    case 'doctor':
      return doctorEmail(person);
    case 'patient':
    case 'pending':
      return person.rank % 200 === 60 ? `patient${person.rank}@inbox.example` : ''; // T01
  }
}

const NEVER_LOGGED_IN: Readonly<Record<Person['kind'], number>> = {
  staff: 0.05,
  doctor: 0.29,
  patient: 0.93,
  pending: 1,
};

function isActive(random: Random, person: Person): boolean {
  if (person.kind === 'doctor') return !isInactiveDoctor(person);
  if (person.kind === 'staff') return person.rank % 16 !== 2;
  return !random.chance(0.02);
}

function userRow(random: Random, person: Person): Row {
  const lastLogin = Math.min(NOW, person.joinedMs + random.next() * 900 * DAY_MS);
  const staff = person.kind === 'staff';
  return {
    id: person.id,
    password: `pbkdf2_sha256$260000$${random.alphanumeric(22)}$${random.hex(42)}=`,
    last_login: random.chance(NEVER_LOGGED_IN[person.kind])
      ? null
      : timestamp(lastLogin, random.int(0, 999)),
    is_superuser: staff && person.rank % 24 === 5,
    username: `${person.kind === 'pending' ? 'patient-new' : person.kind}${person.rank}`,
    first_name: person.name.first,
    last_name: person.name.last,
    email: email(person),
    is_staff: staff && person.rank % 3 !== 0,
    is_active: isActive(random, person),
    date_joined: timestamp(person.joinedMs, random.int(0, 999)),
  };
}

function* userRows({ people, random: root, counts }: World): Generator<Row> {
  const random = root.fork('auth_user');
  const oddPatient = spread(ODD_PATIENT_USERS, counts.dispatch_patient);
  const oddDoctor = spread(ODD_DOCTOR_USERS, counts.doctors);
  for (const person of people.all) {
    const row = userRow(random, person);
    if (person.kind === 'patient') yield withOverrides(row, oddPatient(person.rank));
    else if (person.kind === 'doctor') yield withOverrides(row, oddDoctor(person.rank));
    else yield row;
  }
}

export function userTables(world: World): RowSource[] {
  return [{ table: 'auth_user', rows: userRows(world), total: world.people.all.length }];
}
