import { legacyTable } from '../schema/tables.ts';
import { prose } from '../prose.ts';
import { newPatientRow, newUser } from './people.ts';
import { newRecord } from './records.ts';
import type { Session } from './session.ts';
import type { LegacyTransaction } from './transaction.ts';

/** T84: born, changed and gone in one transaction; now and then the row comes back later. */
export async function shortLived(session: Session): Promise<void> {
  const { random, rows } = session;
  const patientId = rows.patients.pick(random);
  if (patientId === undefined) return;
  const row = newRecord(session, { label: 'dispatch.patient', id: patientId });
  const id = await session.transaction(async (tx) => {
    const recordId = await tx.insert('dispatch_record', row);
    await tx.update('dispatch_record', recordId, { text: prose(random, 1) });
    await tx.delete('dispatch_record', [recordId]);
    return recordId;
  });
  session.hit('T84');
  if (!random.chance(0.4)) return;
  await session.transaction((tx) => tx.insert('dispatch_record', { id, ...row }));
  rows.records.add(id);
  session.hit('T84 with its old id');
}

/** T84: a task is deleted, and a later transaction inserts it again as it was. */
export async function restore(session: Session): Promise<void> {
  const id = session.rows.doneTasks.pick(session.random);
  if (id === undefined) return;
  const [row] = await session.transaction(async (tx) => {
    const rows = await tx.read('dispatch_task', [id]);
    await tx.delete('dispatch_task', [id]);
    return rows;
  });
  if (row === undefined) return;
  await session.transaction((tx) => tx.insert('dispatch_task', row));
  session.hit('T84 with its old id');
}

/** T86: Django's `save()` without a change: all columns are written with the values they have. */
export async function saveUnchanged(session: Session): Promise<void> {
  const { random, rows } = session;
  const [table, pool] = random.pick([
    ['dispatch_patient', rows.patients],
    ['dispatch_record', rows.records],
    ['dispatch_instruction', rows.instructions],
  ] as const);
  const id = pool.pick(random);
  if (id === undefined) return;
  await session.transaction((tx) => saveAsItIs(tx, table, id));
  session.hit('T86');
}

async function saveAsItIs(tx: LegacyTransaction, table: string, id: number): Promise<void> {
  const [row] = await tx.read(table, [id]);
  if (row === undefined) return;
  const columns = legacyTable(table).columns.filter(({ name }) => name !== 'id');
  const same = Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null]));
  await tx.update(table, id, same);
}

/** T86: a large row changes elsewhere, so that its large column is not in the change at all. */
export async function touchLargeRow(session: Session): Promise<void> {
  const { random, rows } = session;
  const isRecord = random.chance(0.5);
  const id = (isRecord ? rows.largeRecords : rows.largeInstructions).pick(random);
  if (id === undefined) return;
  await session.transaction((tx) =>
    isRecord
      ? tx.update('dispatch_record', id, { public: random.chance(0.5) })
      : tx.update('dispatch_instruction', id, { updated_at: session.now() }),
  );
  session.hit('T86 with a large column');
}

/** T87. */
export async function abandonPatient(session: Session): Promise<void> {
  await session.abandoned(async (tx) => {
    const userId = await tx.insert('auth_user', newUser(session, 'abandoned'));
    await tx.insert('dispatch_patient', newPatientRow(session, userId));
    const taken = session.rows.patients.pick(session.random);
    if (taken !== undefined) await tx.update('dispatch_patient', taken, { status: 99 });
  });
}
