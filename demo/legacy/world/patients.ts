import type { LegacyVariant } from '../schema/ddl.ts';
import type { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { at, gappedIds } from './ids.ts';
import type { Office, OfficeCountry, OfficeLink } from './offices.ts';
import { treats, type People, type Person } from './people.ts';

export type Patient = {
  readonly id: number;
  readonly userId: number;
  readonly doctorId: number | null;
  readonly officeId: number | null;
  readonly suffix: string | null;
  readonly joinedMs: number;
};

/** Patients per office differ by country: few in India, many in Japan and Thailand. */
const COUNTRY_PULL: Readonly<Record<OfficeCountry, number>> = {
  USA: 1,
  India: 0.05,
  Japan: 1.4,
  Thailand: 1.4,
  other: 0.1,
};

type Practice = { readonly doctor: Person; readonly offices: readonly Office[] };

function practices(
  people: People,
  offices: readonly Office[],
  links: readonly OfficeLink[],
): Practice[] {
  const byId = new Map(offices.map((office) => [office.id, office]));
  const ofUser = new Map<number, Office[]>();
  const add = (userId: number, office: Office | undefined) => {
    if (office !== undefined) ofUser.set(userId, [...(ofUser.get(userId) ?? []), office]);
  };
  for (const office of offices) add(office.ownerId, office);
  for (const link of links) add(link.userId, byId.get(link.officeId));
  return people.doctors
    .filter(treats)
    .map((doctor) => ({ doctor, offices: ofUser.get(doctor.id) ?? [] }));
}

/** Log-normal: half of the doctors have at most four patients, the largest some hundreds. */
function pickers(random: Random, all: readonly Practice[]): (random: Random) => Practice {
  const cumulated: number[] = [];
  let total = 0;
  for (const practice of all) {
    const pull = COUNTRY_PULL[practice.offices[0]?.country ?? 'USA'];
    total += Math.min(453, 4 * Math.exp(1.73 * random.gauss())) * pull + 0.5;
    cumulated.push(total);
  }
  return (draw) => {
    const target = draw.next() * total;
    const found = cumulated.findIndex((sum) => sum > target);
    return at(all, found < 0 ? all.length - 1 : found);
  };
}

function suffixOf(random: Random, rank: number, before: readonly Patient[]): string | null {
  if (rank === 17) return 'Ab3De'; // T15: one in seven thousand has another length
  if (rank === 22 || rank === 23) return 'Zz9A'; // shared by two
  if (rank % 997 === 23) return before[rank - 1]?.suffix ?? 'Zz9A';
  if (rank === 29) return 'q7Rt';
  if (rank === 30) return 'Q7rT'; // differs in case only
  if (random.chance(0.15)) return random.chance(0.5) ? null : '';
  return random.alphanumeric(4);
}

export function buildPatients(
  root: Random,
  counts: Counts,
  world: {
    people: People;
    offices: readonly Office[];
    links: readonly OfficeLink[];
    variant: LegacyVariant;
  },
): Patient[] {
  const random = root.fork('patients');
  const { people, offices } = world;
  const all = practices(people, offices, world.links);
  const pickPractice = pickers(random, all);
  const accounts = [...people.patients].sort((a, b) => a.joinedMs - b.joinedMs);
  const count = counts.dispatch_patient;
  const ids = gappedIds(random, { first: 520_001, count, gapShare: 0.2, maxGap: 3 });
  const doctorAsPatient = at(people.doctors, 6);
  const patients: Patient[] = [];
  for (let i = 0; i < count; i += 1) {
    const practice = all[i] ?? pickPractice(random); // first one patient for each
    const orphan = i === 11 || random.chance(0.001); // T13
    const foreignOffice = i === 13 || random.chance(0.03);
    const own = practice.offices.length > 0 && !foreignOffice;
    const office = own ? random.pick(practice.offices) : random.pick(offices);
    const shared = (world.variant.sharedPatientAccounts ?? false) && i % 60 === 59; // T14
    const account = shared ? at(accounts, i - 1) : at(accounts, i);
    patients.push({
      id: at(ids, i),
      userId: i === 9 ? doctorAsPatient.id : account.id, // T08
      doctorId: orphan ? null : practice.doctor.id,
      officeId: i === 12 || random.chance(0.047) ? null : office.id,
      suffix: suffixOf(random, i, patients),
      joinedMs: account.joinedMs,
    });
  }
  return patients;
}
