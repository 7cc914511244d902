/**
 * The plan that speaks for a project: the one marked original, else the one with the smallest id;
 * of two originals the smaller. `plans` are in the order of their ids.
 */
export function chosenPlan<P extends { readonly original: boolean | null }>(
  plans: readonly P[],
): P | null {
  return plans.find((plan) => plan.original === true) ?? plans[0] ?? null;
}
