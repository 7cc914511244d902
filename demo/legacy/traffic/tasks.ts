import type { Row } from '../load/row.ts';
import { prose } from '../prose.ts';
import type { Session } from './session.ts';

export function newTasks(
  session: Session,
  options: { planId: number | null; instructionId: number | null; count: number },
): Row[] {
  const { random, rows } = session;
  return Array.from({ length: options.count }, () => ({
    checked: false,
    file_id: null,
    template_id: rows.templates.pick(random) ?? null,
    done_at: null,
    text: random.chance(0.9) ? '' : prose(random, 1),
    plan_id: options.planId,
    instruction_id: options.instructionId,
    actor_id: null,
    jaw: random.pick([1, 1, 2, 3]),
    order_id: null,
  }));
}

/** One at a time, as people work. When nothing is open, a task is opened again. */
export async function checkTask(session: Session): Promise<void> {
  const { random, rows } = session;
  const open = rows.openTasks.take(random);
  if (open !== undefined) {
    rows.doneTasks.add(open);
    const set = {
      checked: true,
      done_at: session.now(),
      actor_id: rows.staff.pick(random) ?? null,
      file_id: random.chance(0.1) ? (rows.files.pick(random) ?? null) : null,
    };
    await session.transaction((tx) => tx.update('dispatch_task', open, set));
    return;
  }
  const done = rows.doneTasks.take(random);
  if (done === undefined) return;
  rows.openTasks.add(done);
  await session.transaction((tx) => tx.update('dispatch_task', done, { checked: false }));
  session.hit('T63');
}

export async function deleteTask(session: Session): Promise<void> {
  const id = session.rows.openTasks.take(session.random);
  if (id === undefined) return;
  await session.transaction((tx) => tx.delete('dispatch_task', [id]));
}

const TASKS_PER_STATEMENT = 500;

/** T66: several thousand tasks in one transaction. */
export async function taskBurst(session: Session, count: number): Promise<void> {
  const { random, rows } = session;
  const instructionId = rows.instructions.pick(random) ?? null;
  await session.transaction(async (tx) => {
    for (let left = count; left > 0; left -= TASKS_PER_STATEMENT) {
      const size = Math.min(left, TASKS_PER_STATEMENT);
      const tasks = newTasks(session, { planId: null, instructionId, count: size });
      for (const id of await tx.insertMany('dispatch_task', tasks)) rows.openTasks.add(id);
    }
  });
  session.hit('T66');
}
