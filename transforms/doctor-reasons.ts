import type { On } from '../core/shape.ts';
import { offer } from './legacy/catalogue.ts';
import { payment, shopOrder } from './legacy/money.ts';
import { officeDoctor } from './legacy/organisation.ts';
import { doctorSetting, group, patient, type user, userGroup } from './legacy/people.ts';
import { note } from './legacy/records.ts';

/** Relations of an account that show whether some legacy row takes it for a doctor. */
export const doctorTraces = (on: On<(typeof user)['columns'], unknown>) => ({
  memberships: on.many(
    userGroup
      .select('id')
      .with((on) => ({ group: on.one('group_id', group.select('id', 'name')) })),
    'user_id',
  ),
  officeLinks: on.many(officeDoctor.select('id', 'office_id'), 'user_id'),
  hasNotes: on.exists(note, 'doctor_id'),
  hasOffers: on.exists(offer, 'doctor_id'),
  hasOrders: on.exists(shopOrder, 'doctor_id'),
  hasPatients: on.exists(patient, 'doctor_id'),
  hasPayments: on.exists(payment, 'doctor_id'),
  hasSetting: on.exists(doctorSetting, 'user_id'),
});

type Memberships = readonly { readonly group: { readonly name: string | null } | null }[];

type DoctorTraces = {
  readonly memberships: Memberships;
  readonly officeLinks: readonly unknown[];
  readonly hasNotes: boolean;
  readonly hasOffers: boolean;
  readonly hasOrders: boolean;
  readonly hasPatients: boolean;
  readonly hasPayments: boolean;
  readonly hasSetting: boolean;
};

/** The groups of an account, by name in lower case: names are compared without regard to case. */
export function groupNames(memberships: Memberships): ReadonlySet<string> {
  return new Set(memberships.map(({ group }) => group?.name?.toLowerCase() ?? ''));
}

/** Why the account has a doctors row, sorted by name; empty for one that is no doctor. */
export function doctorReasons(user: DoctorTraces): readonly string[] {
  const reasons: readonly (readonly [string, boolean])[] = [
    ['group', groupNames(user.memberships).has('doctor')],
    ['has_notes', user.hasNotes],
    ['has_offers', user.hasOffers],
    ['has_orders', user.hasOrders],
    ['has_patients', user.hasPatients],
    ['has_payments', user.hasPayments],
    ['office_link', user.officeLinks.length > 0],
    ['setting', user.hasSetting],
  ];
  return reasons.filter(([, holds]) => holds).map(([name]) => name);
}
