import { DAY_MS } from '../moment.ts';
import type { Random } from '../random.ts';
import type { Counts } from '../scale.ts';
import { at, gappedIds } from './ids.ts';
import type { Instruction } from './orders.ts';

type Project = { readonly id: number; readonly createdMs: number };

export type Plan = {
  readonly id: number;
  readonly instruction: Instruction;
  readonly projectId: number;
  readonly number: number;
};

export type Plans = { readonly projects: readonly Project[]; readonly plans: readonly Plan[] };

/**
 * Projects follow the orders in time. About 3% have no plan, and the surplus of plans goes to
 * projects that have one already, under an order of another patient (T44).
 */
export function buildPlans(
  root: Random,
  counts: Counts,
  instructions: readonly Instruction[],
): Plans {
  const random = root.fork('plans');
  // T47: half of the id range is missing.
  const projectIds = gappedIds(random, {
    first: 55,
    count: counts.dispatch_project,
    gapShare: 0.35,
    maxGap: 4,
  });
  const planIds = gappedIds(random, {
    first: 60,
    count: counts.dispatch_plan,
    gapShare: 0.02,
    maxGap: 9,
  });
  const numbers = new Map<number, number>();
  const projects: Project[] = [];
  const plans: Plan[] = [];
  const addPlan = (instruction: Instruction, projectId: number) => {
    const number = (numbers.get(instruction.id) ?? 0) + 1;
    numbers.set(instruction.id, number);
    plans.push({ id: at(planIds, plans.length), instruction, projectId, number });
  };
  for (let i = 0; i < projectIds.length; i += 1) {
    const place = (i / projectIds.length) * instructions.length + random.int(-2, 2);
    const index = Math.min(instructions.length - 1, Math.max(0, Math.floor(place)));
    const instruction = at(instructions, index);
    const project = {
      id: at(projectIds, i),
      createdMs: instruction.submittedMs + random.int(-2 * DAY_MS, 9 * DAY_MS),
    };
    projects.push(project);
    const withoutPlan = i % 33 === 32;
    if (!withoutPlan && plans.length < planIds.length) addPlan(instruction, project.id);
  }
  for (let i = 0; plans.length < planIds.length; i += 1) {
    const instruction = at(instructions, (i * 7 + 3) % instructions.length);
    addPlan(instruction, at(projects, (i * 17 + 5) % projects.length).id);
  }
  return { projects, plans };
}
