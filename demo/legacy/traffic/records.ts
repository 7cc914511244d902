import type { Row } from '../load/row.ts';
import { outOfLineText, prose } from '../prose.ts';
import { contentTypeId } from '../reference-ids.ts';
import type { IdPool } from './pool.ts';
import type { Session } from './session.ts';
import { newTasks } from './tasks.ts';

type Target = { readonly label: string; readonly pool: IdPool; readonly type: number };

function targets({ rows, random }: Session): Target {
  return random.weighted<Target>([
    [70, { label: 'dispatch.patient', pool: rows.patients, type: random.pick([5, 6, 8]) }],
    [8, { label: 'dispatch.user', pool: rows.users, type: 3 }],
    [4, { label: 'dispatch.project', pool: rows.projects, type: 6 }],
    [4, { label: 'dispatch.plan', pool: rows.plans, type: 6 }],
    [4, { label: 'dispatch.task', pool: rows.openTasks, type: 8 }],
    [4, { label: 'dispatch.file', pool: rows.files, type: 6 }],
    [3, { label: 'dispatch.office', pool: rows.offices, type: 6 }],
    [3, { label: 'dispatch.instruction', pool: rows.instructions, type: 5 }],
  ]);
}

export function newRecord(session: Session, target: { label: string; id: number }): Row {
  const { random, rows } = session;
  return {
    target_id: target.id,
    type: 6,
    created_at: session.now(),
    text: random.chance(0.02) ? outOfLineText(random) : prose(random, random.int(1, 4)),
    author_id: random.chance(0.011) ? null : (rows.staff.pick(random) ?? null),
    target_type_id: contentTypeId(target.label),
    group_id: null,
    public: random.chance(0.6),
  };
}

export async function addRecord(session: Session): Promise<void> {
  const target = targets(session);
  const id = target.pool.pick(session.random);
  if (id === undefined) return;
  const row = { ...newRecord(session, { label: target.label, id }), type: target.type };
  const recordId = await session.transaction((tx) => tx.insert('dispatch_record', row));
  session.rows.records.add(recordId);
}

/** T54: the record is there before the task it is about. */
export async function addRecordBeforeTarget(session: Session): Promise<void> {
  const { rows, random } = session;
  const instructionId = rows.instructions.pick(random) ?? null;
  const taskId = await session.transaction(async (tx) => {
    const id = await tx.reserveId('dispatch_task');
    const record = newRecord(session, { label: 'dispatch.task', id });
    rows.records.add(await tx.insert('dispatch_record', record));
    return id;
  });
  await session.transaction(async (tx) => {
    const [task] = newTasks(session, { planId: null, instructionId, count: 1 });
    await tx.insert('dispatch_task', { id: taskId, ...task });
  });
  rows.openTasks.add(taskId);
  session.hit('T54');
}

export async function editRecord(session: Session): Promise<void> {
  const id = session.rows.records.pick(session.random);
  if (id === undefined) return;
  const set = { text: prose(session.random, 2), public: session.random.chance(0.5) };
  await session.transaction((tx) => tx.update('dispatch_record', id, set));
}

export async function addComment(session: Session): Promise<void> {
  const { random, rows } = session;
  const planId = rows.plans.pick(random);
  if (planId === undefined) return;
  const row = {
    created_at: session.now(),
    text: random.chance(0.05) ? null : prose(random, random.int(1, 3)),
    author_id: rows.staff.pick(random) ?? null,
    plan_id: planId,
  };
  await session.transaction((tx) => tx.insert('dispatch_comment', row));
}

export async function addNote(session: Session): Promise<void> {
  const { random, rows } = session;
  const doctorId = rows.doctors.pick(random);
  if (doctorId === undefined) return;
  const row = {
    created_at: session.now(),
    text: random.chance(0.05) ? '' : prose(random, 3),
    author_id: rows.staff.pick(random) ?? null,
    doctor_id: doctorId,
  };
  await session.transaction((tx) => tx.insert('dispatch_note', row));
}

export async function addFile(session: Session): Promise<void> {
  const { random, rows } = session;
  const instructionId = random.chance(0.5) ? (rows.instructions.pick(random) ?? null) : null;
  const ext = random.pick(['.stl', '.jpg', '.PLY', '.pdf', null]);
  const row = {
    uid: random.uuid(),
    name: `scan_${random.int(1, 9999)}${random.chance(0.1) ? (ext ?? '') : ''}`,
    ext,
    size: random.int(1000, 60_000_000),
    type: random.int(1, 17),
    instruction_id: instructionId,
    created_at: session.now(),
    description: null,
    product_id: null,
    parameters: random.pick([null, '', '{}', '{"unit": "mm"}']),
    record_id: random.chance(0.1) ? (rows.records.pick(random) ?? null) : null,
    status: 0,
  };
  const id = await session.transaction((tx) => tx.insert('dispatch_file', row));
  if (instructionId === null) rows.files.add(id);
}
