import { entity } from '../core/entity.ts';
import { ref, row } from '../core/outcome.ts';
import { instruction, plan } from './legacy/orders.ts';
import { patient } from './legacy/people.ts';
import { emptyToNull } from './text.ts';

type Numbered = { readonly id: number; readonly number: number | null };

/** Whether a plan comes before another of its order: by number, those without one last, then by id. */
function isBefore(plan: Numbered, other: Numbered): boolean {
  if (plan.number === other.number) return plan.id < other.id;
  if (plan.number === null) return false;
  return other.number === null || plan.number < other.number;
}

/** `dispatch_plan` to `treatment_plans`; patient and doctor through the order. */
export const treatmentPlans = entity({
  name: 'treatment_plan',
  target: 'treatment_plans',
  from: plan
    .select('id', 'instruction_id', 'project_id', 'notes', 'number', 'name', 'original')
    .with((on) => ({
      order: on.one(
        'instruction_id',
        instruction.select('id', 'patient_id').with((on) => ({
          patient: on.one('patient_id', patient.select('id', 'doctor_id')),
        })),
      ),
      /** All plans of the order, this one among them. */
      plansOfOrder: on.many(plan.select('id', 'number'), 'instruction_id', 'instruction_id'),
    })),
  map: (plan) =>
    row({
      id: ref('treatment_plan', plan.id),
      legacy_plan_id: plan.id,
      order_id: ref('order', plan.instruction_id),
      project_id: ref('project', plan.project_id),
      patient_id: ref('patient', plan.order?.patient_id ?? null),
      doctor_id: ref('profile', plan.order?.patient?.doctor_id ?? null),
      plan_number: plan.number,
      name: emptyToNull(plan.name),
      notes: emptyToNull(plan.notes),
      is_original: plan.original,
      treatment_type: plan.original === true ? 'initial_treatment' : 'revision',
      // The rank among the plans of the order, from 0.
      revision_count:
        plan.instruction_id === null
          ? null
          : plan.plansOfOrder.filter((other) => isBefore(other, plan)).length,
      legacy_data: '{}',
    }),
});
