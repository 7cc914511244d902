import type { Session } from './session.ts';
import type { LegacyTransaction } from './transaction.ts';

async function deleteTasks(session: Session, tx: LegacyTransaction, ids: readonly number[]) {
  await tx.delete('dispatch_task', ids);
  for (const id of ids) {
    session.rows.openTasks.remove(id);
    session.rows.doneTasks.remove(id);
  }
}

async function deletePlans(session: Session, tx: LegacyTransaction, ids: readonly number[]) {
  await deleteTasks(session, tx, await tx.children('dispatch_task', 'plan_id', ids));
  await tx.delete('dispatch_comment', await tx.children('dispatch_comment', 'plan_id', ids));
  await tx.delete('dispatch_plan', ids);
  for (const id of ids) session.rows.plans.remove(id);
}

async function deletePayments(session: Session, tx: LegacyTransaction, ids: readonly number[]) {
  await tx.delete('dispatch_operation', await tx.children('dispatch_operation', 'payment_id', ids));
  await tx.delete('dispatch_payment', ids);
  for (const id of ids) session.rows.payments.remove(id);
}

/** Files go with their order; tasks that name them keep standing without (Django's SET_NULL). */
async function deleteFiles(tx: LegacyTransaction, ids: readonly number[]) {
  const tasks = await tx.children('dispatch_task', 'file_id', ids);
  if (tasks.length > 0) await tx.update('dispatch_task', tasks, { file_id: null });
  await tx.delete('dispatch_file', ids);
}

/**
 * T83: what Django does for `on_delete=CASCADE`: it collects the children and deletes them by
 * lists of ids, deepest first. Generic references are not children: they stay behind (T54).
 */
export async function deleteInstructions(
  session: Session,
  tx: LegacyTransaction,
  ids: readonly number[],
): Promise<void> {
  if (ids.length === 0) return;
  const of = (table: string) => tx.children(table, 'instruction_id', ids);
  await deleteTasks(session, tx, await of('dispatch_task'));
  await deletePlans(session, tx, await of('dispatch_plan'));
  await tx.delete('dispatch_state', await of('dispatch_state'));
  await deleteFiles(tx, await of('dispatch_file'));
  await deletePayments(session, tx, await of('dispatch_payment'));
  await tx.delete('dispatch_instruction', ids);
  for (const id of ids) {
    session.rows.instructions.remove(id);
    session.rows.deletedInstructions.remove(id);
    session.rows.largeInstructions.remove(id);
    session.rows.statusOf.delete(id);
  }
}

/** Plans of the project, then the project; records about it lose their target (T54). */
export async function deleteProject(
  session: Session,
  tx: LegacyTransaction,
  id: number,
): Promise<void> {
  await deletePlans(session, tx, await tx.children('dispatch_plan', 'project_id', [id]));
  await tx.delete('dispatch_project', [id]);
  session.rows.projects.remove(id);
}
