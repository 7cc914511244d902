import type { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { at, gappedIds } from './ids.ts';
import { treats, type Person } from './people.ts';

export type OfficeCountry = 'USA' | 'India' | 'Japan' | 'Thailand' | 'other';

export type Office = {
  readonly id: number;
  readonly ownerId: number;
  readonly country: OfficeCountry;
  readonly valid: boolean;
};

export type OfficeLink = { readonly officeId: number; readonly userId: number };

/** Shares of 3 November 2025; `other` gets its names from the planted variants. */
const COUNTRY_WEIGHTS: readonly (readonly [number, OfficeCountry])[] = [
  [553, 'USA'],
  [155, 'India'],
  [110, 'Japan'],
  [64, 'Thailand'],
  [14, 'other'],
];

export function buildOffices(root: Random, counts: Counts, doctors: readonly Person[]): Office[] {
  const random = root.fork('offices');
  const count = counts.dispatch_office;
  // Doctors with patients first, so that most patients are treated where their doctor owns.
  const owners = [...doctors].sort((a, b) => Number(treats(b)) - Number(treats(a)));
  const ids = gappedIds(random, { first: 3, count, gapShare: 0.04, maxGap: 3 });
  return Array.from(ids, (id, i) => ({
    id,
    ownerId: at(owners, i % owners.length).id,
    country: random.weighted(COUNTRY_WEIGHTS),
    valid: !random.chance(0.415),
  }));
}

/** The link table: owners of about half of the offices, and some doctors with several (T12). */
export function buildOfficeLinks(
  root: Random,
  counts: Counts,
  offices: readonly Office[],
  doctors: readonly Person[],
): OfficeLink[] {
  const random = root.fork('office links');
  const seen = new Set<string>();
  const links: OfficeLink[] = [];
  for (let i = 0; links.length < counts.dispatch_office_doctors; i += 1) {
    const office = at(offices, (i * 2) % offices.length);
    const busy = i % 8 === 7;
    const second = i * 2 >= offices.length;
    const userId = busy
      ? at(doctors, Math.floor(i / 16) % 20).id
      : second
        ? random.pick(doctors).id
        : office.ownerId;
    const key = `${office.id} ${userId}`;
    if (seen.has(key)) continue;
    seen.add(key);
    links.push({ officeId: office.id, userId });
  }
  return links;
}
