import { ODD_JSON_TEXTS } from '../json-texts.ts';
import { date, DAY_MS, NOW, timestamp } from '../moment.ts';
import { spread, withOverrides, type Overrides } from '../load/spread.ts';
import type { Row, RowSource } from '../load/row.ts';
import type { Random } from '../random.ts';
import type { Patient } from '../world/patients.ts';
import type { World } from '../world/world.ts';

const ODD_PATIENTS: readonly Overrides[] = [
  ...ODD_JSON_TEXTS.map((schemes) => ({ schemes })), // T18
  { birthdate: null }, // T16
  { birthdate: '1900-01-01' },
  { birthdate: '2031-02-28' },
  { birthdate: '0001-01-01' },
  { birthdate: '2004-02-29', sex: 0 },
  { sex: null },
  { sex: 9 },
  { archived: true, suspended: true }, // T17
  { status: 7 },
  { status: 99 },
  { status: null },
  { submitted_at: null, updated_at: null },
  { submitted_at: '2019-03-10 02:30:00.000001+00' }, // T90
  { submitted_at: '2017-12-31 23:59:59.999999+00' },
  { updated_at: '2020-11-01 08:30:00.123456-07' },
  { submitted_at: 'infinity' },
];

function patientRow(random: Random, patient: Patient, birthMs: number): Row {
  const submitted = random.chance(0.05)
    ? null
    : patient.joinedMs + random.int(60, 9 * 86_400) * 1e3;
  const updated = Math.min(NOW, (submitted ?? patient.joinedMs) + random.int(0, 700) * DAY_MS);
  const micro = random.int(0, 999);
  return {
    id: patient.id,
    doctor_id: patient.doctorId,
    user_id: patient.userId,
    birthdate: random.chance(0.02) ? null : date(birthMs),
    office_id: patient.officeId,
    archived: random.chance(0.154),
    status: random.weighted([
      [70, 1],
      [6, 2],
      [20, 4],
      [4, 10],
    ]),
    submitted_at: submitted === null ? null : timestamp(submitted, micro),
    suffix: patient.suffix,
    updated_at: random.chance(0.1) ? null : timestamp(updated, micro),
    sex: random.weighted([
      [35, 1],
      [55, 2],
      [2, 0],
      [8, null],
    ]),
    suspended: random.chance(0.01),
    schemes: random.weighted([
      [40, null],
      [30, ''],
      [20, '{}'],
      [10, `{"upper": ${random.int(1, 9)}, "lower": [${random.int(1, 8)}, 2]}`],
    ]),
  };
}

/** T04: of the patient pairs that share a name every second one shares its birth date too. */
function* patientRows({ patients, people, random: root }: World): Generator<Row> {
  const random = root.fork('dispatch_patient');
  const odd = spread(ODD_PATIENTS, patients.length);
  const rankOf = new Map(people.patients.map((person) => [person.id, person.rank]));
  for (const [i, patient] of patients.entries()) {
    const rank = rankOf.get(patient.userId) ?? i;
    const pair = rank % 50 === 1 ? rank - 1 : rank;
    const days = pair % 50 === 0 ? 4_000 + (pair % 9_000) : random.int(0, 21_000);
    yield withOverrides(patientRow(random, patient, days * DAY_MS), odd(i));
  }
}

export function patientTables(world: World): RowSource[] {
  return [{ table: 'dispatch_patient', rows: patientRows(world), total: world.patients.length }];
}
