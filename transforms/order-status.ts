import { type Ref, ref } from '../core/outcome.ts';
import { instructionStatus, labelOf, stateStatus } from './codes.ts';

/** The row of order_states that stands for a value of `dispatch_instruction.status`, if any. */
export function orderStateOf(status: number | null): Ref | null {
  return ref('order_state', labelOf(instructionStatus, status));
}

/** The row of order_states that stands for a value of `dispatch_state.status`, if any. */
export function logStateOf(status: number): Ref | null {
  return ref('order_state', labelOf(stateStatus, status)?.replace(' ', '_') ?? null);
}

/**
 * What a switch of the state log says of the order status: for every code, on or off, nothing,
 * since their meaning is contested.
 */
export const STATUS_OF_LOG_ENTRY = 'unknown';
