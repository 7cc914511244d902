import type { GenericRow } from '../core/shape.ts';
import { chosenPlan } from './chosen-plan.ts';
import { office } from './legacy/organisation.ts';
import { instruction, plan, project } from './legacy/orders.ts';
import { patient, user } from './legacy/people.ts';
import { file } from './legacy/records.ts';
import { task } from './legacy/workflow.ts';

const order = instruction.select('id', 'patient_id');

const account = user
  .select('id')
  .with((on) => ({ patients: on.many(patient.select('id'), 'user_id') }));

/** The models that a message may be about, by `app_label.model`, and what it takes from each. */
export const messageModels = {
  'dispatch.instruction': order,
  'dispatch.project': project.select('id').with((on) => ({
    plans: on.many(
      plan.select('id', 'original').with((on) => ({ order: on.one('instruction_id', order) })),
      'project_id',
    ),
  })),
  'dispatch.plan': plan
    .select('id', 'project_id', 'instruction_id')
    .with((on) => ({ order: on.one('instruction_id', order) })),
  'dispatch.task': task
    .select('id', 'instruction_id')
    .with((on) => ({ order: on.one('instruction_id', order) })),
  'dispatch.file': file
    .select('id', 'instruction_id')
    .with((on) => ({ order: on.one('instruction_id', order) })),
  'dispatch.patient': patient.select('id'),
  'auth.user': account,
  // Django's proxy of the account: it has no table, and most messages to users name it.
  'dispatch.user': account,
  'dispatch.office': office.select('id'),
} as const;

type Reference = {
  readonly target_type_id: number | null;
  readonly target_id: number | null;
  readonly about: GenericRow<typeof messageModels>;
};

/** The legacy ids of what a message is about: its target, and what follows from that. */
type Target = {
  readonly status: 'none' | 'resolved' | 'missing' | 'unsupported';
  readonly order?: number | null;
  readonly project?: number | null;
  readonly plan?: number;
  readonly task?: number;
  readonly patient?: number | null;
  readonly user?: number;
  readonly office?: number;
  /** The patient whose case it is. */
  readonly caseOf?: number | null;
};

/**
 * What a generic reference leads to. A row that does not exist leads nowhere, whether it never did
 * or was deleted: a reload could not know more.
 */
export function targetOf({ target_type_id, target_id, about }: Reference): Target {
  if (target_type_id === null || target_id === null) return { status: 'none' };
  if (about.model === null) return { status: about.unlisted === null ? 'missing' : 'unsupported' };
  if (about.row === null) return { status: 'missing' };
  const status = 'resolved';
  switch (about.model) {
    case 'dispatch.instruction':
      return { status, order: about.row.id, caseOf: about.row.patient_id };
    case 'dispatch.project': {
      const order = chosenPlan(about.row.plans)?.order ?? null;
      return { status, project: about.row.id, caseOf: order?.patient_id ?? null };
    }
    case 'dispatch.plan': {
      const { id, project_id, instruction_id, order } = about.row;
      const caseOf = order?.patient_id ?? null;
      return { status, plan: id, project: project_id, order: instruction_id, caseOf };
    }
    case 'dispatch.task': {
      const { id, instruction_id, order } = about.row;
      return { status, task: id, order: instruction_id, caseOf: order?.patient_id ?? null };
    }
    case 'dispatch.file': {
      const { instruction_id, order } = about.row;
      return { status, order: instruction_id, caseOf: order?.patient_id ?? null };
    }
    case 'dispatch.patient':
      return { status, patient: about.row.id, caseOf: about.row.id };
    case 'auth.user':
    case 'dispatch.user': {
      // The smallest, where several patients share the account.
      const patient = about.row.patients[0]?.id ?? null;
      return { status, user: about.row.id, patient, caseOf: patient };
    }
    case 'dispatch.office':
      return { status, office: about.row.id };
  }
}
