import type { Issue } from '../core/outcome.ts';
import type { On, Shape } from '../core/shape.ts';
import { uuidOf } from '../core/uuid.ts';
import { decode, templateFunction } from './codes.ts';
import { role } from './legacy/people.ts';
import {
  template,
  templateEditRole,
  templatePredecessor,
  templateProduct,
} from './legacy/workflow.ts';
import { emptyToNull } from './text.ts';

/** How many generations of predecessors are read: a shape is a tree of fixed depth. */
export const GENERATIONS = 8;

type Names = {
  readonly id: number;
  readonly task_name: string | null;
  readonly action_name: string | null;
  readonly text_name: string | null;
};

/** A template with its predecessors, as far as they are read. */
type Step = Names & {
  readonly function: number | null;
  readonly editRoles: readonly { readonly role: { readonly name: string | null } | null }[];
  readonly products: readonly { readonly product_id: number }[];
  readonly predecessors: readonly {
    readonly to_template_id: number;
    readonly template?: Step | null;
  }[];
};

type Columns = (typeof template)['columns'];

/** Relations of a template that its steps are made from. */
export const stepRelations = (on: On<Columns, unknown>, generations: number = GENERATIONS) => ({
  editRoles: on.many(
    templateEditRole
      .select('id')
      .with((on) => ({ role: on.one('role_id', role.select('id', 'name')) })),
    'template_id',
  ),
  products: on.many(templateProduct.select('id', 'product_id'), 'template_id'),
  predecessors: on.many(predecessor(generations), 'from_template_id'),
});

function predecessor(
  generations: number,
): Shape<(typeof templatePredecessor)['columns'], Step['predecessors'][number]> {
  const link = templatePredecessor.select('id', 'to_template_id');
  if (generations === 0) return link;
  const step = template
    .select('id', 'task_name', 'action_name', 'text_name', 'function')
    .with((on) => stepRelations(on, generations - 1));
  return link.with((on) => ({ template: on.one('to_template_id', step) }));
}

/** What a template is called: by its task, else its prompt, else its button. */
export function templateName(template: Names): string {
  return (
    emptyToNull(template.task_name) ??
    emptyToNull(template.text_name) ??
    emptyToNull(template.action_name) ??
    `Template${template.id}`
  );
}

/**
 * The template and its ancestors as a JSON list, each behind its predecessors, which it names by
 * their place in the list. Between equals the smaller legacy id comes first.
 */
export function stepsOf(template: Step, issues: Issue[]): string {
  const steps = withAncestors(template);
  const missing = [...steps.values()].some((step) =>
    step.predecessors.some(
      (link) => link.template === undefined && !steps.has(link.to_template_id),
    ),
  );
  if (missing) {
    const reason = `ancestors beyond ${GENERATIONS} generations are left out`;
    issues.push({ column: 'id', reason, shared: true });
  }
  const sorted = sortedByDependence(steps, issues);
  const placeOf = new Map(sorted.map((step, i) => [step.id, i + 1]));
  return JSON.stringify(
    sorted.map((step) => ({
      order: placeOf.get(step.id),
      name: templateName(step),
      action: emptyToNull(step.action_name),
      prompt: emptyToNull(step.text_name),
      function: decode(templateFunction, step.function),
      predecessors: step.predecessors
        .flatMap((link) => placeOf.get(link.to_template_id) ?? [])
        .sort((a, b) => a - b),
      roles: step.editRoles.flatMap(({ role }) => role?.name ?? []).sort(),
      products: step.products
        .map((link) => link.product_id)
        .sort((a, b) => a - b)
        .map((id) => uuidOf('product', id)),
    })),
  );
}

/** Breadth first: the first sight of a template is the one with most generations behind it. */
function withAncestors(template: Step): ReadonlyMap<number, Step> {
  const steps = new Map([[template.id, template]]);
  // A Map's iterator also visits what is added while it runs.
  for (const step of steps.values()) {
    for (const { template: ancestor } of step.predecessors) {
      if (ancestor && !steps.has(ancestor.id)) steps.set(ancestor.id, ancestor);
    }
  }
  return steps;
}

/** Each step behind its predecessors. A cycle is broken at the highest id that is part of it. */
function sortedByDependence(steps: ReadonlyMap<number, Step>, issues: Issue[]): readonly Step[] {
  const waiting = new Map([...steps].sort(([a], [b]) => a - b));
  const sorted: Step[] = [];
  while (waiting.size > 0) {
    const candidates = [...waiting.values()];
    let next = candidates.find((step) => isReady(step, waiting));
    if (next === undefined) {
      issues.push({ column: 'id', reason: 'its predecessors form a cycle' });
      next = candidates.findLast((step) => isOnCycle(step, waiting)) ?? candidates[0];
    }
    if (next === undefined) break;
    waiting.delete(next.id);
    sorted.push(next);
  }
  return sorted;
}

function isReady(step: Step, waiting: ReadonlyMap<number, Step>): boolean {
  return step.predecessors.every((link) => !waiting.has(link.to_template_id));
}

function isOnCycle(step: Step, waiting: ReadonlyMap<number, Step>): boolean {
  const reached = new Set<number>();
  const open = [step];
  for (const next of open) {
    for (const { to_template_id: id } of next.predecessors) {
      const ancestor = waiting.get(id);
      if (id === step.id) return true;
      if (ancestor !== undefined && !reached.has(id)) open.push(ancestor);
      reached.add(id);
    }
  }
  return false;
}
