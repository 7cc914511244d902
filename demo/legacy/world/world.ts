import type { LegacyVariant } from '../schema/ddl.ts';
import { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { gappedIds } from './ids.ts';
import { buildOfficeLinks, buildOffices, type Office, type OfficeLink } from './offices.ts';
import { buildOrders, type Orders } from './orders.ts';
import { buildPatients, type Patient } from './patients.ts';
import { buildPeople, type People } from './people.ts';
import { buildPlans, type Plans } from './plans.ts';

/**
 * What rows of one table must know about rows of another: identities, owners and times.
 *
 * It holds no table with more than some ten thousand rows as objects; texts and the big tables
 * are made while they are streamed.
 */
export type World = {
  readonly random: Random;
  readonly counts: Counts;
  readonly people: People;
  readonly offices: readonly Office[];
  readonly officeLinks: readonly OfficeLink[];
  readonly patients: readonly Patient[];
  readonly orders: Orders;
  readonly plans: Plans;
  readonly recordIds: Int32Array;
  readonly fileIds: Int32Array;
  readonly taskIds: Int32Array;
  readonly paymentIds: Int32Array;
};

export function buildWorld(seed: number, counts: Counts, variant: LegacyVariant): World {
  const random = new Random(seed);
  const people = buildPeople(random, counts);
  const offices = buildOffices(random, counts, people.doctors);
  const links = buildOfficeLinks(random, counts, offices, people.doctors);
  const patients = buildPatients(random, counts, { people, offices, links, variant });
  const orders = buildOrders(random, counts, patients);
  const ids = (name: string, count: number, first: number) =>
    gappedIds(random.fork(`ids of ${name}`), { first, count, gapShare: 0.01, maxGap: 6 });
  return {
    random,
    counts,
    people,
    offices,
    officeLinks: links,
    patients,
    orders,
    plans: buildPlans(random, counts, orders.instructions),
    recordIds: ids('records', counts.dispatch_record, 11),
    fileIds: ids('files', counts.dispatch_file, 101),
    taskIds: ids('tasks', counts.dispatch_task, 1001),
    paymentIds: ids('payments', counts.dispatch_payment, 31),
  };
}
