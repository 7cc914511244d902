import { preparedRows } from '../connectors/postgres/connection.ts';
import { TandemError } from '../core/errors.ts';
import type { Position } from '../core/ports.ts';
import type { ApplyContext } from './apply-context.ts';
import { inactiveStates } from './entity-state.ts';
import type { InactiveEntities } from './inactive-entities.ts';

/**
 * Instead of a fence, for a transaction that is right whoever has the stream: keeps everybody else
 * who writes out. Locks the stream's row whatever it says; every transaction that writes has it, or
 * a share of it.
 *
 * @returns the target holds everything that the source committed before it
 */
export async function keepOut(
  { client, options }: ApplyContext,
  inactive: InactiveEntities,
): Promise<Position> {
  const [row] = await preparedRows(
    client,
    'select position from tandem.position where stream = $1 for update',
    [options.stream],
  );
  if (row === undefined) throw new TandemError('NOT_SET_UP', { stream: options.stream });
  // Behind the lock: who pauses an entity holds it while the state changes.
  inactive.are((await inactiveStates(client)).keys());
  return (row[0] ?? '') as Position;
}
