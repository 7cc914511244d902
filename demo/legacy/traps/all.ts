import { CATALOGUE_TRAPS } from './catalogue.ts';
import { ORDER_TRAPS } from './orders.ts';
import { PEOPLE_TRAPS } from './people.ts';
import { RECORD_TRAPS } from './records.ts';
import { STREAM_TRAPS } from './stream.ts';
import type { Trap } from './trap.ts';
import { MONEY_TRAPS, WORKFLOW_TRAPS } from './workflow.ts';

/** Every trap that rows at rest can carry, each as a query that finds its rows. */
export const ALL_TRAPS: readonly Trap[] = [
  ...PEOPLE_TRAPS,
  ...CATALOGUE_TRAPS,
  ...ORDER_TRAPS,
  ...RECORD_TRAPS,
  ...WORKFLOW_TRAPS,
  ...MONEY_TRAPS,
  ...STREAM_TRAPS,
];
