import { DAY_MS, FIRST_BUSINESS_DAY, NOW } from '../moment.ts';
import { ODD_NAMES, personName, type Language, type PersonName } from '../names.ts';
import { spread } from '../load/spread.ts';
import { anyLanguage } from '../prose.ts';
import type { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { at, gappedIds } from './ids.ts';

/** `pending` is a user whose patient row has not arrived yet (T19). */
type PersonKind = 'staff' | 'doctor' | 'patient' | 'pending';

export type Person = {
  readonly id: number;
  readonly kind: PersonKind;
  /** Position among the people of the same kind. */
  readonly rank: number;
  readonly name: PersonName;
  readonly joinedMs: number;
};

export type People = {
  /** In the order of their ids. */
  readonly all: readonly Person[];
  readonly staff: readonly Person[];
  readonly doctors: readonly Person[];
  readonly patients: readonly Person[];
};

const PENDING_PATIENTS = 3;

type Draft = Omit<Person, 'id'>;

function joined(random: Random, kind: PersonKind): number {
  const span = NOW - FIRST_BUSINESS_DAY;
  switch (kind) {
    case 'staff':
      return FIRST_BUSINESS_DAY - random.int(1, 300) * DAY_MS;
    case 'doctor':
      return FIRST_BUSINESS_DAY + Math.floor(random.next() ** 0.9 * span * 0.98);
    case 'patient':
      return FIRST_BUSINESS_DAY + Math.floor(random.next() ** 0.7 * span);
    case 'pending':
      return NOW - random.int(1, 3600) * 1000;
  }
}

function draftsOf(random: Random, kind: PersonKind, count: number): Draft[] {
  const odd = kind === 'patient' ? spread(ODD_NAMES, count) : () => undefined;
  const drafts: Draft[] = [];
  for (let rank = 0; rank < count; rank += 1) {
    const name = odd(rank) ?? ordinaryName(random, kind, rank, drafts);
    drafts.push({ kind, rank, name, joinedMs: joined(random, kind) });
  }
  return drafts;
}

/** T04: 40 names for 162 doctors, and pairs of patients with one name. */
function ordinaryName(
  random: Random,
  kind: PersonKind,
  rank: number,
  before: readonly Draft[],
): PersonName {
  const language: Language = kind === 'staff' ? 'en' : anyLanguage(random);
  const fresh = personName(random, language);
  const repeatsDoctor = kind === 'doctor' && rank > 0 && rank % 10 === 0;
  if (repeatsDoctor) return at(before, rank % 400 < 10 ? 0 : (rank % 400) - 9).name;
  const repeatsPatient = kind === 'patient' && rank % 25 === 1;
  return repeatsPatient ? at(before, rank - 1).name : fresh;
}

export function buildPeople(root: Random, counts: Counts): People {
  const random = root.fork('people');
  const drafts = [
    ...draftsOf(random, 'staff', counts.staff),
    ...draftsOf(random, 'doctor', counts.doctors),
    ...draftsOf(random, 'patient', counts.dispatch_patient),
    ...draftsOf(random, 'pending', PENDING_PATIENTS),
  ].sort((a, b) => a.joinedMs - b.joinedMs);
  const ids = gappedIds(random, { first: 1, count: drafts.length, gapShare: 0.01, maxGap: 5 });
  const all = drafts.map((draft, i): Person => ({ ...draft, id: at(ids, i) }));
  const ofKind = (kind: PersonKind) =>
    all.filter((person) => person.kind === kind).sort((a, b) => a.rank - b.rank);
  return { all, staff: ofKind('staff'), doctors: ofKind('doctor'), patients: ofKind('patient') };
}

/** Doctors who have patients: 440 of 1,213. */
export function treats(doctor: Person): boolean {
  return doctor.rank % 11 < 4;
}

/** T11: among the doctors who have patients some lack the setting and some the group. */
export function hasDoctorSetting(doctor: Person): boolean {
  return doctor.rank % 33 !== 3;
}

export function inDoctorGroup(doctor: Person): boolean {
  return doctor.rank % 44 !== 2;
}

/** T10: inactive doctors, with patients too. */
export function isInactiveDoctor(doctor: Person): boolean {
  return doctor.rank % 7 === 1;
}
