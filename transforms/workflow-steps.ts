import type { Issue } from '../core/outcome.ts';
import type { On } from '../core/shape.ts';
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

type Names = {
  readonly id: number;
  readonly task_name: string | null;
  readonly action_name: string | null;
  readonly text_name: string | null;
};

/** What is read of a template to make a step, and other templates that are read with it. */
type Step = Names & {
  readonly function: number | null;
  readonly editRoles: readonly { readonly role: { readonly name: string | null } | null }[];
  readonly products: readonly { readonly product_id: number }[];
  readonly predecessors: readonly {
    readonly to_template_id: number;
    readonly template?: Step | null;
  }[];
  readonly alike?: readonly Step[];
};

type OnTemplate = On<(typeof template)['columns'], unknown>;

const details = (on: OnTemplate) => ({
  editRoles: on.many(
    templateEditRole
      .select('id')
      .with((on) => ({ role: on.one('role_id', role.select('id', 'name')) })),
    'template_id',
  ),
  products: on.many(templateProduct.select('id', 'product_id'), 'template_id'),
});

const link = templatePredecessor.select('id', 'to_template_id');
const names = ['id', 'task_name', 'action_name', 'text_name', 'function'] as const;

const step = template.select(...names).with((on) => ({
  ...details(on),
  predecessors: on.many(link, 'from_template_id'),
}));

/** A predecessor, and all templates that share its flag. */
const across = step.with((on) => ({ alike: on.many(step, 'predefined', 'predefined') }));

const predecessors = (on: OnTemplate) =>
  on.many(
    link.with((on) => ({ template: on.one('to_template_id', across) })),
    'from_template_id',
  );

/**
 * Relations of a template that its steps are made from.
 *
 * A shape is a tree of fixed depth, and cannot follow a graph to its end. So all templates are read
 * that share the flag `predefined`, and wherever a link leads to one that has it otherwise, all
 * that share that one's: with two values of a flag, no ancestor is outside. They are some hundred.
 */
export const stepRelations = (on: OnTemplate) => ({
  ...details(on),
  predecessors: predecessors(on),
  alike: on.many(
    template.select(...names).with((on) => ({ ...details(on), predecessors: predecessors(on) })),
    'predefined',
    'predefined',
  ),
});

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
  const isIncomplete = [...steps.values()].some((step) =>
    step.predecessors.some((link) => !steps.has(link.to_template_id)),
  );
  if (isIncomplete) issues.push({ column: 'id', reason: 'an ancestor was not read' });
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

/** The template and whatever its predecessors lead to, by id. */
function withAncestors(template: Step): ReadonlyMap<number, Step> {
  const known = new Map<number, Step>();
  const learn = (step: Step): void => {
    if (!known.has(step.id)) known.set(step.id, step);
  };
  const near = [template, ...(template.alike ?? [])];
  for (const step of near) learn(step);
  const beyond = near.flatMap((step) => step.predecessors.flatMap((link) => link.template ?? []));
  for (const step of new Set(beyond)) [step, ...(step.alike ?? [])].forEach(learn);

  const steps = new Map([[template.id, template]]);
  // A Map's iterator also visits what is added while it runs.
  for (const step of steps.values()) {
    for (const { to_template_id: id } of step.predecessors) {
      const ancestor = known.get(id);
      if (ancestor !== undefined) steps.set(id, ancestor);
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
