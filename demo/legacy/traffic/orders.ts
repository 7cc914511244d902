import type { Row } from '../load/row.ts';
import { outOfLineText, prose } from '../prose.ts';
import { deleteInstructions, deleteProject } from './cascade.ts';
import type { Session } from './session.ts';
import { newTasks } from './tasks.ts';
import type { LegacyTransaction } from './transaction.ts';

function newJaw(session: Session): Row {
  return {
    bond_teeth: '0011111111111100',
    extract_teeth: '0000000000000000',
    reason: null,
    product_id: session.rows.products.pick(session.random) ?? null,
    labial: session.random.chance(0.25),
  };
}

function newInstruction(session: Session, patientId: number, jaws: readonly number[]): Row {
  const { random, rows } = session;
  const large = random.chance(0.02);
  return {
    patient_id: patientId,
    submitted_at: session.now(),
    deleted: false,
    status: 1,
    cbct: random.chance(0.4),
    model: random.pick([1, 1, 1, null, 3]),
    scanner: null,
    objective: prose(random, 2),
    conditions: '',
    order: 1,
    lower_jaw_id: jaws[1] ?? null,
    upper_jaw_id: jaws[0] ?? null,
    comprehensive: random.chance(0.46),
    scanner_notes: '',
    accept_extraction: random.chance(0.18),
    updated_at: session.now(),
    notes: large ? outOfLineText(random) : '',
    suffix: random.alphanumeric(4),
    course_id: rows.courses.pick(random) ?? 1,
    complaint: random.chance(0.5) ? prose(random, 1) : '',
    exports: '{}',
    price: null,
  };
}

function newProject(session: Session): Row {
  const { random } = session;
  return {
    uid: random.uuid(),
    created_at: session.now(),
    name: `Setup ${random.int(1, 9)}`,
    size: random.int(1_000_000, 90_000_000),
    public: false,
    type: random.pick([3, 3, 0, 10]),
    status: 0,
    creator_id: session.rows.staff.pick(random) ?? null,
  };
}

async function addPlan(
  session: Session,
  tx: LegacyTransaction,
  instructionId: number,
  number: number,
): Promise<number> {
  const projectId = await tx.insert('dispatch_project', newProject(session));
  const planId = await tx.insert('dispatch_plan', {
    instruction_id: instructionId,
    project_id: projectId,
    notes: null,
    number,
    name: `Plan ${number}`,
    original: number === 1,
  });
  session.rows.projects.add(projectId);
  session.rows.plans.add(planId);
  return planId;
}

/** Jaws, instruction, project, plan, tasks and payment: some twenty rows at once. */
export async function addOrder(session: Session): Promise<void> {
  const { random, rows } = session;
  const patientId = rows.patients.pick(random);
  if (patientId === undefined) return;
  await session.transaction(async (tx) => {
    const jaws = await tx.insertMany('dispatch_jaw', [newJaw(session), newJaw(session)]);
    const id = await tx.insert('dispatch_instruction', newInstruction(session, patientId, jaws));
    const planId = await addPlan(session, tx, id, 1);
    const tasks = newTasks(session, { planId, instructionId: id, count: random.int(8, 16) });
    for (const task of await tx.insertMany('dispatch_task', tasks)) rows.openTasks.add(task);
    rows.instructions.add(id);
    rows.statusOf.set(id, 1);
  });
}

export async function addPlanToOrder(session: Session): Promise<void> {
  const id = session.rows.instructions.pick(session.random);
  if (id === undefined) return;
  await session.transaction((tx) => addPlan(session, tx, id, session.random.int(2, 5)));
}

const NEXT_STATUS: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
  [4, 5],
  [5, 2],
]);

/** One step, or two steps in one transaction: 1 to 2 and 2 to 4. */
export async function changeStatus(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.instructions.pick(random);
  if (id === undefined) return;
  const status = rows.statusOf.get(id) ?? 0;
  const next = NEXT_STATUS.get(status) ?? 1;
  const steps = status === 1 && random.chance(0.4) ? [2, 4] : [next];
  await session.transaction(async (tx) => {
    for (const step of steps) {
      await tx.update('dispatch_instruction', id, { status: step, updated_at: session.now() });
    }
  });
  rows.statusOf.set(id, steps.at(-1) ?? next);
  if (steps.length > 1) session.hit('two status changes in one transaction');
}

export async function editOrder(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.instructions.pick(random);
  if (id === undefined) return;
  const set = random.pick<Row>([
    { complaint: prose(random, 2), updated_at: session.now() },
    { objective: prose(random, 3) },
    { exports: `{"stl": ${random.int(1, 30)}}`, updated_at: session.now() },
    { suffix: random.alphanumeric(4) },
    { cbct: random.chance(0.5), comprehensive: null },
  ]);
  await session.transaction((tx) => tx.update('dispatch_instruction', id, set));
}

/** T33: deleted by flag, and undeleted some time later. */
export async function toggleDeleted(session: Session): Promise<void> {
  const { random, rows } = session;
  const undelete = random.chance(0.5) && rows.deletedInstructions.size > 0;
  const from = undelete ? rows.deletedInstructions : rows.instructions;
  const to = undelete ? rows.instructions : rows.deletedInstructions;
  const id = from.take(random);
  if (id === undefined) return;
  to.add(id);
  const set = { deleted: !undelete, updated_at: session.now() };
  await session.transaction((tx) => tx.update('dispatch_instruction', id, set));
  session.hit('T33');
}

/** T83, and T54 for the records about the order. */
export async function deleteOrder(session: Session): Promise<void> {
  const id = session.rows.instructions.pick(session.random);
  if (id === undefined) return;
  await session.transaction((tx) => deleteInstructions(session, tx, [id]));
  session.hit('T83');
}

export async function removeProject(session: Session): Promise<void> {
  const id = session.rows.projects.pick(session.random);
  if (id === undefined) return;
  await session.transaction((tx) => deleteProject(session, tx, id));
  session.hit('T54');
}

export async function editProject(session: Session): Promise<void> {
  const { random, rows } = session;
  const id = rows.projects.pick(random);
  if (id === undefined) return;
  const set = random.pick<Row>([
    { status: random.pick([0, 1, 2, 3]) },
    { name: String(random.int(1, 99_999)) },
    { type: random.pick([0, 3, 10, 11]) },
    { size: random.int(0, 2 ** 40) },
  ]);
  await session.transaction((tx) => tx.update('dispatch_project', id, set));
}

function newState(session: Session, instructionId: number, changedAt: string): Row {
  return {
    status: session.random.pick([11, 12]),
    on: session.random.chance(0.6),
    changed_at: changedAt,
    actor_id: session.random.chance(0.04)
      ? null
      : (session.rows.staff.pick(session.random) ?? null),
    instruction_id: instructionId,
  };
}

export async function addState(session: Session): Promise<void> {
  const id = session.rows.instructions.pick(session.random);
  if (id === undefined) return;
  const row = newState(session, id, session.now());
  await session.transaction((tx) => tx.insert('dispatch_state', row));
}

/** T43: two entries, and later one whose time lies between theirs. */
export async function addLateState(session: Session): Promise<void> {
  const id = session.rows.instructions.pick(session.random);
  if (id === undefined) return;
  const minute = String(session.random.int(10, 49));
  const row = (m: string) => newState(session, id, `2025-11-18 09:${m}:00.25+00`);
  await session.transaction((tx) => tx.insertMany('dispatch_state', [row('05'), row('55')]));
  await session.transaction((tx) => tx.insert('dispatch_state', row(minute)));
  session.hit('T43');
}
