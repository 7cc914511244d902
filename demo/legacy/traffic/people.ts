import type { Row } from '../load/row.ts';
import { date, DAY_MS } from '../moment.ts';
import { personName } from '../names.ts';
import { anyLanguage } from '../prose.ts';
import { contentTypeId, GROUPS } from '../reference-ids.ts';
import { deleteInstructions } from './cascade.ts';
import type { Session } from './session.ts';
import type { LegacyTransaction } from './transaction.ts';

export function newUser(session: Session, prefix: string): Row {
  const { random } = session;
  const name = personName(random, anyLanguage(random));
  return {
    password: `!${random.alphanumeric(40)}`,
    last_login: null,
    is_superuser: false,
    username: `${prefix}-${random.hex(16)}`,
    first_name: name.first,
    last_name: name.last,
    email: random.chance(0.87) ? '' : `${random.hex(8)}@inbox.example`,
    is_staff: false,
    is_active: true,
    date_joined: session.now(),
  };
}

export function newPatientRow(session: Session, userId: number): Row {
  const { random, rows } = session;
  return {
    doctor_id: rows.doctors.pick(random) ?? null,
    user_id: userId,
    birthdate: random.chance(0.05) ? null : date(random.int(2_000, 18_000) * DAY_MS),
    office_id: random.chance(0.047) ? null : (rows.offices.pick(random) ?? null),
    archived: false,
    status: 1,
    submitted_at: random.chance(0.3) ? null : session.now(),
    suffix: random.chance(0.15) ? '' : random.alphanumeric(4),
    updated_at: session.now(),
    sex: random.pick([1, 2, 2, 0, null]),
    suspended: false,
    schemes: random.pick([null, '', '{}']),
  };
}

async function joinGroup(tx: LegacyTransaction, userId: number, groupId: number): Promise<void> {
  await tx.insert('auth_user_groups', { user_id: userId, group_id: groupId });
}

function keep(session: Session, userId: number, patientId: number): void {
  session.rows.users.add(userId);
  session.rows.patients.add(patientId);
  session.rows.freshPatients.add(patientId);
}

export async function addPatient(session: Session): Promise<void> {
  await session.transaction(async (tx) => {
    const userId = await tx.insert('auth_user', newUser(session, 'patient'));
    await joinGroup(tx, userId, GROUPS.Patient);
    keep(session, userId, await tx.insert('dispatch_patient', newPatientRow(session, userId)));
  });
}

/** T19: the patient row comes in a transaction of its own. */
export async function addPatientLater(session: Session): Promise<void> {
  const userId = await session.transaction(async (tx) => {
    const id = await tx.insert('auth_user', newUser(session, 'patient'));
    await joinGroup(tx, id, GROUPS.Patient);
    return id;
  });
  await session.transaction(async (tx) => {
    keep(session, userId, await tx.insert('dispatch_patient', newPatientRow(session, userId)));
  });
  session.hit('T19');
}

/** T85: group and patient are inserted before the user they point at. */
export async function addPatientChildFirst(session: Session): Promise<void> {
  await session.transaction(async (tx) => {
    const userId = await tx.reserveId('auth_user');
    const patientId = await tx.insert('dispatch_patient', newPatientRow(session, userId));
    await joinGroup(tx, userId, GROUPS.Patient);
    await tx.insert('auth_user', { id: userId, ...newUser(session, 'patient') });
    keep(session, userId, patientId);
  });
  session.hit('T85');
}

/** T20: the whole history moves with the patient row. */
export async function movePatient(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.patients.pick(random);
  if (id === undefined) return;
  await session.transaction((tx) =>
    tx.update('dispatch_patient', id, {
      doctor_id: rows.doctors.pick(random) ?? null,
      office_id: rows.offices.pick(random) ?? null,
      updated_at: session.now(),
    }),
  );
  session.hit('T20');
}

/** T34: `updated_at` is left as it was, as some code paths do. */
export async function editPatient(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.patients.pick(random);
  if (id === undefined) return;
  const set = random.pick<Row>([
    { archived: random.chance(0.5) },
    { status: random.pick([1, 2, 4, 10]) },
    { suffix: random.alphanumeric(4) },
    { schemes: `{"stage": ${random.int(1, 20)}}` },
    { birthdate: date(random.int(2_000, 18_000) * DAY_MS) },
  ]);
  await session.transaction((tx) => tx.update('dispatch_patient', id, set));
  session.hit('T34');
}

export async function logIn(session: Session): Promise<void> {
  const id = session.rows.users.pick(session.random);
  if (id === undefined) return;
  await session.transaction((tx) => tx.update('auth_user', id, { last_login: session.now() }));
}

/** Django sets groups by difference: deletes what is gone, inserts what is new. */
export async function changeGroups(session: Session): Promise<void> {
  const { random, rows } = session;
  const userId = rows.users.pick(random);
  const groupId = rows.groups.pick(random);
  if (userId === undefined || groupId === undefined) return;
  await session.transaction(async (tx) => {
    const held = await tx.children('auth_user_groups', 'user_id', [userId]);
    const memberships = await tx.read('auth_user_groups', held);
    const same = memberships.find((row) => Number(row['group_id']) === groupId);
    if (same !== undefined) await tx.delete('auth_user_groups', [Number(same['id'])]);
    else await joinGroup(tx, userId, groupId);
  });
  session.hit('T07');
}

/** T83: orders first, then the patient, its memberships and its user, in one transaction. */
export async function deletePatient(session: Session): Promise<void> {
  const id = session.rows.freshPatients.take(session.random);
  if (id === undefined) return;
  session.rows.patients.remove(id);
  await session.transaction(async (tx) => {
    const instructions = await tx.children('dispatch_instruction', 'patient_id', [id]);
    await deleteInstructions(session, tx, instructions);
    const userIds = (await tx.read('dispatch_patient', [id])).map((row) => Number(row['user_id']));
    await tx.delete('dispatch_patient', [id]);
    const memberships = await tx.children('auth_user_groups', 'user_id', userIds);
    await tx.delete('auth_user_groups', memberships);
    await tx.delete('auth_user', userIds);
    for (const userId of userIds) session.rows.users.remove(userId);
  });
  session.hit('T83');
}

const MOST_NEW_TYPES = 3;

/** T82: a new model arrives with its permissions, and a record that points at it (T53). */
export async function addContentType(session: Session): Promise<void> {
  if (!session.isLeader || (session.traps.get('T82') ?? 0) >= MOST_NEW_TYPES) return;
  const model = `shipment${session.random.hex(8)}`;
  await session.transaction(async (tx) => {
    const typeId = await tx.insert('django_content_type', { app_label: 'dispatch', model });
    await tx.insertMany(
      'auth_permission',
      ['add', 'change', 'delete', 'view'].map((verb) => ({
        name: `Can ${verb} ${model}`,
        content_type_id: typeId,
        codename: `${verb}_${model}`,
      })),
    );
    await tx.insert('dispatch_record', {
      target_id: contentTypeId('dispatch.patient'),
      type: 6,
      created_at: session.now(),
      text: 'Sent by courier.',
      author_id: session.rows.staff.pick(session.random) ?? null,
      target_type_id: typeId,
      group_id: null,
      public: true,
    });
  });
  session.hit('T82');
}
