import type { Row, RowSource } from '../load/row.ts';
import { GROUPS } from '../reference-ids.ts';
import { inDoctorGroup, type Person } from '../world/people.ts';
import type { World } from '../world/world.ts';

/** Of ten staff users six are technicians, as 85 of 146 are. */
const STAFF_GROUPS: readonly (readonly number[])[] = [
  [GROUPS.Technician],
  [GROUPS.Technician],
  [GROUPS.Master],
  [GROUPS.Technician],
  [GROUPS.Administrator],
  [GROUPS.Technician, GROUPS.Master],
  [GROUPS.Sales],
  [GROUPS.Technician],
  [GROUPS.Technician],
  [GROUPS.Support],
  [], // T07
  [GROUPS.Technician, GROUPS.Administrator, GROUPS.Billing],
  [GROUPS.External],
  [GROUPS.Technician],
  [GROUPS.Export],
  [GROUPS.Doctor], // T07, T08: staff by flag, doctor by group
];

/** T07: nobody, somebody, or several groups; and groups that contradict the rows elsewhere. */
function groupsOf(person: Person): readonly number[] {
  switch (person.kind) {
    case 'staff':
      return STAFF_GROUPS[person.rank % STAFF_GROUPS.length] ?? [];
    case 'doctor':
      if (!inDoctorGroup(person)) return [];
      if (person.rank % 60 === 10) return [GROUPS.Doctor, GROUPS.Technician, GROUPS.Sales];
      return person.rank % 45 === 12 ? [GROUPS.Doctor, GROUPS.Patient] : [GROUPS.Doctor];
    case 'patient':
      if (person.rank % 500 === 70) return [GROUPS.Doctor];
      return person.rank % 300 === 71 ? [] : [GROUPS.Patient];
    case 'pending':
      return [GROUPS.Patient];
  }
}

function* membershipRows({ people }: World): Generator<Row> {
  let id = 0;
  for (const person of people.all) {
    for (const groupId of groupsOf(person)) {
      id += 1;
      yield { id, user_id: person.id, group_id: groupId };
    }
  }
}

export function membershipTables(world: World): RowSource[] {
  const total = world.people.all.length;
  return [{ table: 'auth_user_groups', rows: membershipRows(world), total }];
}
